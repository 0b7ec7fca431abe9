"""The id of a Hub is made once."""

from jupyterhub_notebooks.ledger import Ledger, hub
from jupyterhub_notebooks.names import is_id

from .conftest import NOW


def test_the_id_of_a_hub_is_made_once_and_for_good(ledger, url):
    first = hub.hub_id(ledger, NOW)
    assert is_id(first)
    again = Ledger(url)
    assert hub.hub_id(again, NOW) == first
    again.close()
