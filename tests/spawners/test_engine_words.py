"""What Docker says becomes a reason with a next step; and what a container is given follows from the launch alone."""

import pytest

from jupyterhub_notebooks.profiles.choosing import Launch
from jupyterhub_notebooks.profiles.model import Flavor
from jupyterhub_notebooks.spawners import engine

#: (what an engine of version 20.10 wrote, title, cause)
SAID = [
    (
        'could not select device driver "" with capabilities: [[gpu]]',
        "This machine has no GPU that notebooks can use",
        "no_gpu",
    ),
    (
        "pull access denied for notebooks/none, repository does not exist or may require 'docker login'",
        "The image notebooks/none:1 could not be fetched",
        "image_missing",
    ),
    (
        "manifest unknown: manifest unknown",
        "The image notebooks/none:1 is not in its registry",
        "image_missing",
    ),
    ("No such image: notebooks/none:1", "The image notebooks/none:1 is not in its registry", "image_missing"),
    (
        'Get "https://registry.example.org/v2/": unauthorized: authentication required',
        "The image notebooks/none:1 could not be fetched",
        "image_login",
    ),
    (
        'Get "https://registry.example.org/v2/": dial tcp: lookup registry.example.org: no such host',
        "The image notebooks/none:1 could not be fetched",
        "registry_away",
    ),
    ("write /layer.tar: no space left on device", "The disk of this machine is full", ""),
    (
        'Conflict. The container name "/nb-1" is already in use by container "ab"',
        "A container of this notebook is still there",
        "name_taken",
    ),
    (
        "Bind for 0.0.0.0:8888 failed: port is already allocated",
        "The notebook's port is taken on this machine",
        "port_taken",
    ),
    (
        'exec: "notebook-agent": executable file not found in $PATH: unknown',
        "The image notebooks/none:1 cannot run a notebook",
        "image_without_agent",
    ),
    ("something new", "The notebook's container could not be started", "did_not_start"),
]


def launch(**resources):
    flavor = Flavor.model_validate({"name": "f", "use": "u", "cpu": 2, "memory": "1 GB", **resources})
    return Launch("p", "1", "P", "f", flavor)


@pytest.mark.parametrize(("said", "title", "cause"), SAID)
def test_each_answer_of_the_engine_has_its_words_and_a_next_step(said, title, cause):
    error = engine.told(said, "notebooks/none:1", "the platform team")
    assert error.title == title and getattr(error, "cause", "") == cause
    assert any("the platform team" in step for step in error.next)


def test_an_image_without_the_agent_or_with_an_old_one_is_refused_with_what_to_build():
    error = engine.without_agent("team:1", "inside", "ops")
    assert "has no notebook agent" in error.title and "notebook-base" in error.next[0]
    assert "0.1" in engine.too_old("team:1", "0.1", "0.3", "ops").why


@pytest.mark.parametrize(
    ("has", "own", "answer"),
    [
        ("0.1.0", "0.1.0", True),
        ("0.1.5", "0.1.0", True),
        ("0.1.0", "0.2.3", True),
        ("0.1.0", "0.3.0", False),
        ("0.2.0", "0.1.0", False),
        ("1.0.0", "2.0.0", False),
        ("what", "0.1.0", False),
    ],
)
def test_a_hub_starts_agents_of_its_version_and_of_the_one_before(has, own, answer):
    assert engine.serves(has, own) is answer


def test_a_container_has_its_limits_and_its_walls_before_it_runs():
    made = engine.host_config(launch())
    assert made["memswap_limit"] == 10**9 and made["mem_swappiness"] == 0
    assert made["cap_drop"] == ["ALL"] and made["security_opt"] == ["no-new-privileges:true"]
    assert made["pids_limit"] == 4096 and made["read_only"] is True
    assert "device_requests" not in made


def test_a_gpu_of_the_flavor_is_asked_of_the_engine_by_count():
    made = engine.host_config(launch(gpu={"kind": "T4", "count": 2}))
    assert made["device_requests"][0]["Count"] == 2
    assert made["device_requests"][0]["Capabilities"] == [["gpu"]]


def test_names_and_labels_carry_ids_and_no_spelling_of_a_user():
    assert engine.container_of("01ABC") == "nb-01abc"
    assert engine.volumes_of("01DEF") == {"files": "nb-01def-files", "state": "nb-01def-state"}
    assert engine.labels_of("01DEF", "01ABC", launch()) == {
        "org.jupyterhub.notebooks.notebook": "01DEF",
        "org.jupyterhub.notebooks.session": "01ABC",
        "org.jupyterhub.notebooks.profile": "p",
        "org.jupyterhub.notebooks.flavor": "f",
    }


def test_what_of_an_image_has_come_is_counted_over_its_layers():
    layers = engine.Layers()
    for line in (
        {"status": "Pulling fs layer", "id": "a"},
        {"status": "Downloading", "id": "a", "progressDetail": {"current": 10, "total": 100}},
        {"status": "Downloading", "id": "b", "progressDetail": {"current": 5, "total": 50}},
        {"status": "Download complete", "id": "a"},
    ):
        layers.take(line)
    assert (layers.done_bytes, layers.total_bytes, layers.error) == (105, 150, "")
    layers.take({"error": "manifest unknown"})
    assert layers.error == "manifest unknown"


def test_an_end_for_want_of_memory_says_how_much_there_was():
    assert engine.out_of_memory(4 * 10**9, 4 * 10**9).startswith("It used 4")
    assert "its profile gives it" in engine.out_of_memory(4 * 10**9, None)
