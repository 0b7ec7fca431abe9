# What a person runs in a checkout. Needs python3 (3.11 or newer) with venv, git and make; nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
PACKAGE := setup.cfg pyproject.toml
# JupyterLab's extension: its sources, and what is built of them and kept beside them.
UI := jupyterhub_notebooks/lab/ui
LABEXTENSION := share/jupyter/labextensions/jupyterhub-notebooks
# How many test files run at once. A file's tests stay together: they share the servers that it starts.
WORKERS ?= 3
.DEFAULT_GOAL := help
.PHONY: help install run cluster test test-slow test-drawn lab lint types layers clean

help: ## What can be run
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile

install: $(STAMPS)/package ## The virtual environment .venv with the product in it

run: install ## Start the product on http://127.0.0.1:8000 until Ctrl-C
	@exec $(BIN)/jupyterhub-notebooks up $(UP)

cluster: $(STAMPS)/test ## A Kubernetes on this machine to try it on, as root, until Ctrl-C
	@exec $(BIN)/python -m tests.cluster $(CLUSTER)

test: $(STAMPS)/test ## The tests, and what they need
	@$(BIN)/python -m tests.tools.prepare
	@rm -rf .pytest_cache/suite
	$(BIN)/python -m pytest -q -m "not slow" -n $(WORKERS) --dist loadfile -o cache_dir=.pytest_cache/suite $(PYTEST) \
		|| $(BIN)/python -m tests.tools.again $$?

test-slow: $(STAMPS)/test ## The tests that take minutes; with ALL=1 every kill of the kill table three times
	@$(BIN)/python -m tests.tools.prepare
	$(if $(ALL),NOTEBOOKS_TEST_ROUNDS=3) $(BIN)/python -m pytest -q -m slow $(PYTEST)

test-drawn: $(STAMPS)/test ## A few of them, drawn by the commit for what changed lately: about 5 minutes
	@$(BIN)/python -m tests.tools.prepare
	$(BIN)/python -m tests.tools.draw

lab: $(STAMPS)/package ## JupyterLab's extension, built anew of $(UI); needs Node 20 or newer
	cd $(UI) && npm ci --no-audit --no-fund --loglevel=error && npm run lint && PATH="$(abspath $(BIN)):$$PATH" npm run build
	$(BIN)/python -m tests.tools.lab_ui --write

lint: $(STAMPS)/test ## Style
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(STAMPS)/test ## Types
	$(BIN)/mypy jupyterhub_notebooks

layers: $(STAMPS)/test ## Who imports whom
	$(BIN)/python -m pytest -q tests/test_layers.py

clean: ## Remove what was built; never what the product keeps
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache

$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; $(PYTHON) is older or missing. Name another: make PYTHON=python3.12 …" >&2; exit 11; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "Python's venv is missing. On Debian, as root: apt-get install python3-venv" >&2; exit 11; }
	$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/package: $(STAMPS)/venv $(PACKAGE)
	$(BIN)/python -m pip install -q --disable-pip-version-check -e .
	@mkdir -p $(dir $(VENV)/$(LABEXTENSION)) && ln -sfn $(abspath jupyterhub_notebooks/lab/$(LABEXTENSION)) $(VENV)/$(LABEXTENSION)
	@touch $@

$(STAMPS)/test: $(STAMPS)/package
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[test]'
	@touch $@
