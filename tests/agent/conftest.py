"""services/agents once a module, a notebook of its own for each test, and nothing left running."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents_service import RunningAgents, free_port, start_agents_service

from .gate import Gate
from .harness import Notebook, RunningAgent


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgents]:
    running = start_agents_service(tmp_path_factory.mktemp("agents"))
    yield running
    running.close()


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningAgents, Gate]]:
    """services/agents behind a gate: all that an agent asks, blocks too, goes through it."""
    port = free_port()
    gate = Gate(f"http://127.0.0.1:{port}/services/agents/")
    running = start_agents_service(
        tmp_path_factory.mktemp("gated"), port=port, notebook_service_url=gate.url, save_timeout_seconds=5.0
    )
    yield running, gate
    running.close()
    gate.close()


def _name(request: pytest.FixtureRequest) -> str:
    return f"n{abs(hash(request.node.nodeid)) % 10**9}"


@pytest.fixture
def notebook(service: RunningAgents, tmp_path: Path, request: pytest.FixtureRequest, ended: None) -> Notebook:
    """Each test's own."""
    return Notebook(service, tmp_path, name=_name(request))


@pytest.fixture
def behind(
    gated: tuple[RunningAgents, Gate], tmp_path: Path, request: pytest.FixtureRequest, ended: None
) -> Notebook:
    """Each test's own, behind the gate."""
    running, gate = gated
    return Notebook(running, tmp_path, name=_name(request), url=gate.url)


@pytest.fixture
def ended() -> Iterator[None]:
    """Agents of the test are ended by pid, with what they started."""
    yield
    for agent in RunningAgent.every:
        if agent.process.poll() is None:
            agent.process.kill()
            agent.process.wait()
        agent.end_rest()
    RunningAgent.every.clear()


@pytest.fixture
def gate(gated: tuple[RunningAgents, Gate]) -> Iterator[Gate]:
    """Open again after each test."""
    yield gated[1]
    gated[1].rule = lambda method, path: None
