"""profiles.yaml: what is read, what each mistake is told as, and how an edit is taken up."""

from __future__ import annotations

import logging
import os
from decimal import Decimal
from pathlib import Path

import pytest

from jupyterhub_notebooks.errors import ConfigError
from jupyterhub_notebooks.profiles.catalog import SHIPPED, CatalogFile, load, parse, whole_image
from jupyterhub_notebooks.profiles.problems import WrongProfiles

FLAVOR = """\
flavors:
  small:
    use: Small things
    cpu: 2
    memory: 8 GB
"""
PROFILE = """\
profiles:
  one:
    title: One
    use: The first
    flavor: small
"""
GOOD = FLAVOR + PROFILE


def mistakes(text: str) -> list[str]:
    with pytest.raises(WrongProfiles) as raised:
        parse(text)
    return [str(problem) for problem in raised.value.problems]


def test_everything_that_the_product_names_is_shipped() -> None:
    catalog = load(SHIPPED)
    assert set(catalog.flavors) == {
        *("nb-cpu-2", "nb-cpu-8", "nb-gpu-l4", "nb-gpu-l40s", "nb-gpu-h100"),
        *("std-2x8", "mem-4x32", "gpu-t4-1x", "gpu-a100-1x"),
    }
    assert set(catalog.profiles) == {
        *("notebook-cpu-small", "notebook-cpu-large", "notebook-gpu-t4", "notebook-gpu-a100", "notebook-pii"),
    }
    assert catalog.profiles["notebook-pii"].no_public_internet
    assert catalog.flavors["nb-gpu-h100"].use == "Larger fine-tunes, multi-modal"


def test_a_profile_that_says_little_has_the_defaults_of_the_product() -> None:
    profile = parse(GOOD).profiles["one"]
    assert (profile.idle_stop_seconds, profile.max_session_seconds) == (1800, 28800)
    assert profile.editors == ("jupyterlab",)
    assert profile.workspace_bytes is None


def test_every_key_is_read_into_one_unit() -> None:
    catalog = parse(
        """
contact: help@example.org
flavors:
  slice:
    use: A slice of a GPU
    cpu: 0.5
    memory: 8 GiB
    gpu: {kind: A100-10GB, count: 2, memory: 10 GB, resource: nvidia.com/mig-1g.10gb}
    price_per_hour: 0.4
    data: 500 MB
    placement:
      node_selector: {gpu: a100}
      tolerations: [{key: gpu, operator: Exists}]
      affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1}]}}
profiles:
  full:
    title: Full
    use: With everything
    flavor: [slice]
    image: registry.example.org/notebook-full:3.2
    idle_stop: 0
    max_session: 1h 30min
    framework: PyTorch
    editor: [jupyterlab, vscode]
    environment: {A: "1"}
    startup_script: |
      echo hello
    tools: [{title: TensorBoard, command: tensorboard}]
    volumes: [{name: team, mode: ro}]
    egress_allowlist: [a.example.org, "*.b.example.org", "c.example.org:5432"]
    who: {groups: [ml], users: [mara]}
    contact: mara@example.org
    agent: inside
    workspace_size: 20 GB
    save_interval: 2min
    retention: {hours: 48, weeks: 0}
    kubernetes: {workspace: ephemeral, size: 5 GB, pull_secrets: team, pod: {hostUsers: false}}
    deprecated: {replacement: other, after: 2027-01-31}
  other: {title: Other, use: Stays, flavor: slice}
"""
    )
    flavor, profile = catalog.flavors["slice"], catalog.profiles["full"]
    assert flavor.memory_bytes == 8 * 2**30 and flavor.price_per_hour == Decimal("0.4")
    assert flavor.gpu is not None and flavor.gpu.resource == "nvidia.com/mig-1g.10gb"
    assert (profile.idle_stop_seconds, profile.max_session_seconds) == (0, 5400)
    assert profile.save_interval_seconds == 120 and profile.workspace_bytes == 20 * 10**9
    assert profile.retention is not None and profile.retention.content() == {"hours": 48, "weeks": 0}
    assert profile.startup_script == "echo hello\n"
    assert profile.volumes[0].mode == "ro" and profile.tools[0].command == "tensorboard"
    assert profile.deprecated is not None and str(profile.deprecated.after) == "2027-01-31"
    assert flavor.placement.affinity is not None and "podAntiAffinity" in flavor.placement.affinity
    own = profile.kubernetes
    assert own is not None and (own.workspace, own.size_bytes) == ("ephemeral", 5 * 10**9)
    assert own.pull_secrets == ("team",) and own.pod == {"hostUsers": False}
    assert catalog.contact == "help@example.org"
    assert type(profile).model_validate({**profile.content()}) == profile


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "profiles.yaml: This file is empty."),
        ("# nothing\n", "profiles.yaml: This file is empty."),
        ("- a\n", "profiles.yaml:1: This file is not a group of keys."),
        ("flavors:\n\tsmall: 1\n", "profiles.yaml:2: A tab stands here."),
        ("flavors: {a: [}\n", "profiles.yaml:1: This is not YAML"),
        (GOOD + "flavors: {}\n", "profiles.yaml:11: flavors stands here twice."),
        (GOOD + "---\na: 1\n", "profiles.yaml:11: A second document begins here."),
        (GOOD + "x: !!python/object:os.system {}\n", "profiles.yaml:11 x: There is no such key."),
        (GOOD + "profile: {}\n", "profiles.yaml:11 profile: There is no such key. Did you mean profiles?"),
        (FLAVOR, "profiles.yaml profiles: This key is missing."),
        (FLAVOR + "profiles:\n", "profiles.yaml:6 profiles: Nothing stands below this key."),
        (FLAVOR + "profiles: [a]\n", "profiles.yaml:6 profiles: This must be a group of keys."),
        (FLAVOR + "profiles:\n  one:\n", "profiles.yaml:7 profiles.one: This must be a group of keys."),
        (GOOD.replace("one:", "One One:"), "profiles.yaml:7 profiles.One One: 'One One' cannot be a name."),
        (GOOD + "    name: x\n", "profiles.yaml:11 profiles.one.name: There is no such key. The name is one"),
        (GOOD.replace("8 GB", "8"), None),
        (GOOD.replace("8 GB", "8 gigs"), "profiles.yaml:5 flavors.small.memory: '8 gigs' is not a size. Write"),
        (GOOD.replace("8 GB", "-8 GB"), "profiles.yaml:5 flavors.small.memory: '-8 GB' is not a size."),
        (GOOD.replace("8 GB", "[1]"), "profiles.yaml:5 flavors.small.memory: [1] is not a size."),
        (GOOD.replace("cpu: 2", "cpu: two"), "profiles.yaml:4 flavors.small.cpu: 'two' is not a number of CPUs."),
        (GOOD.replace("cpu: 2", "cpu: .nan"), "profiles.yaml:4 flavors.small.cpu: nan is not a number of CPUs."),
        (GOOD.replace("cpu: 2", "cpu: 2\n    price_per_hour: free"), "flavors.small.price_per_hour: 'free' is not"),
        (GOOD.replace("cpu: 2", "cpu: 2\n    price_per_hour: .inf"), "flavors.small.price_per_hour: inf is not"),
        (GOOD.replace("cpu: 2", "cpu: 2\n    gpu: T4"), "flavors.small.gpu: This must be a group of keys. Write"),
        (GOOD.replace("flavor: small", "flavor: smal"), "profiles.one.flavor: There is no flavor 'smal'. Did you mean small?"),
        (GOOD.replace("flavor: small", "flavor: [small, x]"), "profiles.one.flavor[2]: There is no flavor 'x'."),
        (GOOD.replace("flavor: small", "flavor: []"), "profiles.one.flavor: This list is empty."),
        (GOOD.replace("    title: One\n", ""), "profiles.one.title: This key is missing."),
        (GOOD + "    idle_stpo: 30min\n", "profiles.yaml:11 profiles.one.idle_stpo: There is no such key. Did you mean idle_stop?"),
        (GOOD + "    idle_stop: 30\n", "profiles.yaml:11 profiles.one.idle_stop: 30 is not a duration."),
        (GOOD + "    idle_stop: soon\n", "profiles.yaml:11 profiles.one.idle_stop: 'soon' is not a duration."),
        (GOOD + "    editor: emacs\n", "profiles.one.editor: There is no editor 'emacs'. Write jupyterlab or vscode."),
        (GOOD + "    environment: {A: 1}\n", 'profiles.one.environment: The value of A is not text. Put it in quotes: A: "1".'),
        (GOOD + "    environment: {NOTEBOOK_X: a}\n", "NOTEBOOK_X is set by the Hub itself."),
        (GOOD + "    no_public_internet: 1\n", "profiles.one.no_public_internet: 1 is neither true nor false."),
        (GOOD + "    egress_allowlist: [http://a]\n", "profiles.one.egress_allowlist: 'http://a' is not a host."),
        (GOOD + "    agent: outside\n", "profiles.one.agent: 'outside' says nothing about the agent."),
        (GOOD + "    tools: [{title: a, comand: b}]\n", "profiles.one.tools[1].comand: There is no such key. Did you mean command?"),
        (GOOD + "    deprecated: {replacement: two, after: 2027-01-31}\n", "There is no profile 'two'."),
        (GOOD + "    deprecated: {replacement: one, after: 2027-01-31}\n", "A profile cannot replace itself."),
        (GOOD + "    deprecated: {replacement: one, after: soon}\n", "profiles.one.deprecated.after: 'soon' is not a day."),
        (GOOD + "    image: '../etc'\n", "profiles.one.image: '../etc' is not the name of an image."),
        (GOOD + "    image: python:3\nallowed_registries: [a.org]\n", "profiles.one.image: python:3 is not from an allowed registry."),
        (GOOD + "    agent: beside\n", "profiles.one: A profile with `agent: beside` needs an image."),
        (
            GOOD + "    agent: beside\n    image: python:3\n    startup_script: 'true'\n",
            "profiles.one.startup_script: The startup script would run in an image that knows nothing of it.",
        ),
        ("? [a, b]\n: 1\n" + GOOD, "is not text."),
    ],
)  # fmt: skip
def test_each_mistake_names_line_field_and_remedy(text: str, told: str | None) -> None:
    if told is None:
        parse(text)
        return
    found = mistakes(text)
    assert any(told in line for line in found), found
    assert not any("Traceback" in line or "pydantic" in line or "ruamel" in line for line in found)


def test_all_mistakes_are_told_at_once_in_the_order_of_their_lines() -> None:
    found = mistakes(
        GOOD.replace("cpu: 2", "cpu: two").replace("flavor: small", "flavor: big") + "    foo: 1\n"
    )
    assert [line.split(" ")[0] for line in found] == [
        "profiles.yaml:4",
        "profiles.yaml:10",
        "profiles.yaml:11",
    ]


def test_a_missing_or_unreadable_file_is_one_line_and_no_traceback(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="There is no such file"):
        load(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"flavors:\n  # caf\xe9\n")
    with pytest.raises(ConfigError, match=r"latin\.yaml:2: This is not UTF-8 text"):
        load(tmp_path / "latin.yaml")
    (tmp_path / "big.yaml").write_bytes(b"#" * 1_000_001)
    with pytest.raises(ConfigError, match="larger than 1 MB"):
        load(tmp_path / "big.yaml")


def test_a_file_that_multiplies_itself_by_aliases_is_refused_before_it_fills_the_memory() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "far too large" in mistakes("\n".join(lines))[0]


def test_a_version_changes_with_profile_and_flavor_and_with_nothing_else() -> None:
    version = parse(GOOD).versions["one"]
    assert len(version) == 64
    assert parse("# a comment\n" + GOOD.replace("8 GB", "8000 MB")).versions["one"] == version
    assert parse(GOOD.replace("8 GB", "9 GB")).versions["one"] != version
    assert parse(GOOD.replace("The first", "Another")).versions["one"] != version
    more = GOOD + "  two: {title: Two, use: Second, flavor: small}\n"
    assert parse(more).versions["one"] == version


def test_a_short_image_name_means_the_public_registry() -> None:
    assert whole_image("python:3") == "docker.io/library/python:3"
    assert whole_image("a/b") == "docker.io/a/b"
    assert whole_image("localhost:5000/b") == "localhost:5000/b"


def test_an_edit_is_taken_up_and_a_wrong_one_leaves_the_last_good_version(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "profiles.yaml"
    path.write_text(GOOD)
    file = CatalogFile(path)
    first = file.current()
    assert file.current() is first and file.problem is None

    path.write_text(GOOD.replace("title: One", "title: Uno"))
    assert file.current().profiles["one"].title == "Uno"

    with caplog.at_level(logging.ERROR):
        path.write_text(GOOD + "    foo: 1\n")
        assert file.current().profiles["one"].title == "Uno"
        assert file.current().profiles["one"].title == "Uno"
    assert file.problem is not None and "profiles.one.foo" in file.problem.sentence()
    assert len(caplog.records) == 1

    path.unlink()
    assert file.current().profiles["one"].title == "Uno"
    assert file.problem is not None and "There is no such file" in file.problem.sentence()

    other = tmp_path / "other.yaml"
    other.write_text(GOOD)
    os.replace(other, path)
    assert file.current().profiles["one"].title == "One"
    assert file.problem is None


def test_the_first_reading_of_a_wrong_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "profiles.yaml"
    path.write_text("flavors: {}\n")
    with pytest.raises(WrongProfiles):
        CatalogFile(path)
