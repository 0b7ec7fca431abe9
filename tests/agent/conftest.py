"""services/agents once a module, a notebook of its own for each test, and nothing left running."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents_service import RunningAgents, start_agents_service

from .harness import Notebook, RunningAgent


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgents]:
    running = start_agents_service(tmp_path_factory.mktemp("agents"))
    yield running
    running.close()


@pytest.fixture
def notebook(service: RunningAgents, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Notebook]:
    """Each test's own; its agents are ended by pid."""
    yield Notebook(service, tmp_path, name=f"n{abs(hash(request.node.nodeid)) % 10**9}")
    for agent in RunningAgent.every:
        if agent.process.poll() is None:
            agent.process.kill()
            agent.process.wait()
        agent.end_rest()
    RunningAgent.every.clear()
