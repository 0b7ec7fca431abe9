"""What is not installed with the package alone is named where it is first needed, with the line that installs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFIG = Path(__file__).parents[2] / "config" / "local" / "jupyterhub_config.py"
WITHOUT = "import sys; sys.modules[sys.argv.pop(1)] = None; from jupyterhub_notebooks.cli.main import main; sys.exit(main())"
POSTGRESQL = "postgresql://mara@127.0.0.1:1/notebooks"
LACKS = "import of {0} halted; None in sys.modules"
S3 = f"Storing in S3 needs the package s3fs. {LACKS.format('s3fs')}. Run: pip install 'jupyterhub-notebooks[s3]'."
PSYCOPG = (
    f"ledger: A ledger in PostgreSQL needs the package psycopg. {LACKS.format('psycopg')}."
    " Run: pip install 'jupyterhub-notebooks[postgresql]'."
)


def run(folder, package, *arguments):
    """(exit status, last line of standard error) of a command where that package is not installed."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, package, *arguments],
        env={**os.environ, "JUPYTERHUB_NOTEBOOKS_STATE": str(folder / "state")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stderr.splitlines()[-1]


def config(folder, old, new):
    text = CONFIG.read_text()
    assert text.count(old) == 1
    path = folder / "jupyterhub_config.py"
    path.write_text(text.replace(old, new))
    return str(path)


@pytest.mark.parametrize("more", [["--check"], []], ids=["--check", "a start"])
def test_a_store_in_s3_without_s3fs_is_told_before_anything_runs(tmp_path, more):
    path = config(tmp_path, """store=f"file://{state / 'store'}",""", 'store="s3://bucket/prefix",')
    assert run(tmp_path, "s3fs", "up", "--config", path, *more) == (11, S3)
    assert not (tmp_path / "state" / "ledger.sqlite").exists()


@pytest.mark.parametrize("more", [["--check"], []], ids=["--check", "a start"])
def test_a_ledger_in_postgresql_without_psycopg_is_told_before_anything_runs(tmp_path, more):
    path = config(tmp_path, """ledger=f"sqlite:///{state / 'ledger.sqlite'}",""", f'ledger="{POSTGRESQL}",')
    assert run(tmp_path, "psycopg", "up", "--config", path, *more) == (11, PSYCOPG)


def test_commands_tell_it_too(tmp_path):
    assert run(tmp_path, "s3fs", "store", "validate", "--store", "s3://bucket/x") == (11, S3)
    assert run(tmp_path, "s3fs", "workspace", "list", "--store", "s3://bucket/x") == (11, S3)
    assert run(tmp_path, "psycopg", "session", "list", "--ledger", POSTGRESQL) == (11, PSYCOPG)


def test_another_kind_of_database_is_refused_with_the_two_that_can_be_used(tmp_path):
    assert run(tmp_path, "s3fs", "session", "list", "--ledger", "mysql://mara@localhost/x") == (
        3,
        "ledger: This is not the address of a database. A ledger lies in SQLite or PostgreSQL, not 'mysql'."
        " Write sqlite:////absolute/path or postgresql+psycopg://user@host/name.",
    )
