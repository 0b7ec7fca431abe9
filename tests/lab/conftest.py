"""One server a module; what it started ends with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .harness import LabServer


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    place: Path = tmp_path_factory.mktemp("lab")
    server = LabServer(place, cell_seconds=1.0, input_seconds=1.0, saved_seconds=1.0)
    yield server
    server.close()
