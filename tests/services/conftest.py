"""What tests of several services begin with."""

import pytest

from jupyterhub_notebooks.ledger import Ledger, upgrade


@pytest.fixture
def ledger(tmp_path):
    made = Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")
    upgrade(made)
    yield made
    made.close()
