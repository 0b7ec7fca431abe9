# What a person runs in a checkout. Needs python3 (3.11 or newer) with venv, git and make; nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
PACKAGE := setup.cfg pyproject.toml
# How many test files run at once. A file's tests stay together: they share the servers that it starts.
WORKERS ?= 3
.DEFAULT_GOAL := help
.PHONY: help install run test test-slow lint types layers clean

help: ## What can be run
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile

install: $(STAMPS)/package ## The virtual environment .venv with the product in it

run: install ## Start the product on http://127.0.0.1:8000 until Ctrl-C
	@exec $(BIN)/jupyterhub-notebooks up $(UP)

test: $(STAMPS)/test ## The tests, and what they need
	@$(BIN)/python -m tests.tools.prepare
	$(BIN)/python -m pytest -q -m "not slow" -n $(WORKERS) --dist loadfile $(PYTEST)

test-slow: $(STAMPS)/test ## The tests that take minutes
	@$(BIN)/python -m tests.tools.prepare
	$(BIN)/python -m pytest -q -m slow $(PYTEST)

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
	@touch $@

$(STAMPS)/test: $(STAMPS)/package
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[test]'
	@touch $@
