"""A real engine, an image built from this checkout, and a Hub whose notebooks are containers."""

import contextlib
import uuid

import pytest

from jupyterhub_notebooks.ledger import notebooks
from tests import docker_engine
from tests.hub import start_hub

PROFILES = """
flavors:
  small: {use: Small, cpu: 1, memory: 1 GB}
  large: {use: Large, cpu: 2, memory: 2 GB}
  tiny: {use: Tiny, cpu: 0.5, memory: 400 MB}
  gpu: {use: GPU, cpu: 1, memory: 1 GB, gpu: {kind: T4, memory: 16 GB}}
profiles:
"""


def profile(name, image, flavors="small, large", **more):
    """One profile of profiles.yaml, as text."""
    lines = [
        f"  {name}:",
        f"    title: {name}",
        "    use: Test",
        f"    image: {image}",
        f"    flavor: [{flavors}]",
    ]
    return "\n".join([*lines, *(f"    {key}: {value}" for key, value in more.items())]) + "\n"


@pytest.fixture(scope="session")
def base(engine):
    """The tag of notebook-base."""
    return docker_engine.image(engine, "notebook-base")


@contextlib.contextmanager
def docker_hub(engine, base, folder, also="", settings=None, janitor=True, **more):
    """A Hub on a network of its own; what its notebooks leave on the engine is removed after it. also: further profiles.
    settings: those that differ. more: traits."""
    profiles = folder / "profiles.yaml"
    profiles.write_text(
        PROFILES
        + profile("work", base)
        + profile("tight", base, "tiny")
        + profile("gpu", base, "gpu")
        + profile("missing", "notebooks-test/none:1")
        + profile("foreign", docker_engine.BASE)
        + also
    )
    with docker_engine.network(engine, f"nbtest-{uuid.uuid4().hex[:8]}") as (name, gateway):
        running = start_hub(
            folder,
            host=gateway,
            janitor=janitor,
            settings={
                "profiles": str(profiles),
                "abilities": {"name": "docker", "images": True, "gpu_kinds": ["T4"]},
                **(settings or {}),
            },
            JupyterHub__spawner_class="notebooks-docker",
            DockerNotebookSpawner__poll_interval=5,
            DockerNotebookSpawner__network_name=name,
            DockerNotebookSpawner__client_kwargs={"base_url": engine.url, "timeout": 120},
            **more,
        )
        running.engine = engine
        try:
            yield running
        finally:
            made = {view.notebook.id for view in notebooks.views(running.ledger, trashed=None)}
            running.stop()
            docker_engine.remove_ours(engine, made)


@pytest.fixture(scope="module")
def hub(engine, base, tmp_path_factory):
    """One for the tests of a file."""
    with docker_hub(engine, base, tmp_path_factory.mktemp("docker")) as running:
        yield running
