"""Bodies of the agent's protocol: what is read, what is refused, what is ignored."""

import dataclasses
import json
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as some

from jupyterhub_notebooks import contract
from jupyterhub_notebooks.errors import Unchecked

some.register_type_strategy(float, some.floats(allow_nan=False, allow_infinity=False))

#: An order's details are what a service wrote: anything that JSON has.
some.register_type_strategy(
    contract.Order,
    some.builds(
        contract.Order,
        id=some.text(),
        do=some.text(),
        cause=some.text(),
        actor=some.text(),
        details=some.dictionaries(some.text(), some.integers() | some.lists(some.text())),
    ),
)

KINDS = [
    kind
    for name in contract.__all__
    if isinstance(kind := getattr(contract, name), type) and dataclasses.is_dataclass(kind)
]


def _drawn(kind, without):
    hints = typing.get_type_hints(kind)
    return {
        item.name: some.from_type(hints[item.name])
        for item in dataclasses.fields(kind)
        if item.name not in without
    }


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(data=some.data())
def test_every_body_survives_its_json(kind, data):
    hints = typing.get_type_hints(kind)
    numbers = some.dictionaries(some.text(), some.integers())
    plain = {
        item.name: numbers
        for item in dataclasses.fields(kind)
        if typing.get_origin(hints[item.name]) is dict and typing.get_args(hints[item.name])[1] is typing.Any
    }
    if kind is contract.Answered:
        plain["error"] = some.none() | numbers
    body = data.draw(some.builds(kind, **plain, **_drawn(kind, without=plain)))
    assert kind.from_json(json.loads(json.dumps(body.to_json()))) == body


def test_unknown_fields_are_ignored_and_missing_ones_have_defaults():
    body = contract.Heartbeat.from_json({"sequence": 3, "phase": "running", "from_the_future": 1})
    assert body.saved.number == 0
    assert body.signals == ()


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({}, "sequence"),
        ({"sequence": "1", "phase": "running"}, "sequence"),
        ({"sequence": True, "phase": "running"}, "sequence"),
        ({"sequence": 1, "phase": None}, "phase"),
        ({"sequence": 1, "phase": "x", "signals": {}}, "signals"),
        ({"sequence": 1, "phase": "x", "signals": [{"name": 3}]}, "signals[0].name"),
        ({"sequence": 1, "phase": "x", "saved": {"at": 5}}, "saved.at"),
        ({"sequence": 1, "phase": "x", "signals": [{"name": "k", "since": 4}]}, "signals[0].since"),
        ([], "Heartbeat"),
    ],
)
def test_a_field_of_the_wrong_type_is_named(raw, field):
    with pytest.raises(Unchecked) as caught:
        contract.Heartbeat.from_json(raw)
    assert caught.value.field == field


def test_a_number_that_is_not_finite_is_refused():
    with pytest.raises(Unchecked, match="finite"):
        contract.Lease.from_json({"number": 1, "ends_in_seconds": float("nan")})
