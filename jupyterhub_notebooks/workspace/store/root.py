"""The root of a store that a Hub uses: whose it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ... import __version__
from ...errors import ConfigError, NotFound
from ..layout import ROOT_KEY, StoreFacts, parse_store_json, store_json
from ..snapshots import canonical
from .base import Store


def read_root(store: Store) -> StoreFacts | None:
    """Whose store this is; None where nobody has claimed it. Raises Damaged."""
    try:
        return parse_store_json(store.get(ROOT_KEY))
    except NotFound:
        return None


def claim_root(store: Store, hub_id: str, now: datetime) -> StoreFacts:
    """Makes the store this Hub's, or finds that it is. Raises ConfigError where it is another's."""
    facts = read_root(store)
    if facts is None:
        body = store_json(hub_id, now, f"jupyterhub-notebooks {__version__}")
        facts = parse_store_json(body) if store.put_new(ROOT_KEY, body) else read_root(store)
    if facts is None or facts.hub != hub_id:
        raise ConfigError(
            f"The store {store.url} belongs to another Hub",
            f"It was made by Hub {facts.hub if facts else '?'}, this is Hub {hub_id}.",
            [
                "Name another directory, bucket or prefix",
                f"Or, where that Hub is gone for good and this one takes its notebooks over, delete {ROOT_KEY} there",
            ],
            field="store",
        )
    return facts


def keep_validated(store: Store, found: Mapping[str, Any]) -> StoreFacts:
    """Writes what the checks of the store found beside whose it is. Raises NotFound where nobody has claimed it."""
    body = store.get(ROOT_KEY)
    parse_store_json(body)
    fields: dict[str, Any] = {**json.loads(body), "validated": dict(found)}
    made = canonical(fields)
    store.replace(ROOT_KEY, made)
    return parse_store_json(made)
