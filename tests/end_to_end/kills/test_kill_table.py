"""The kill table: every process killed in every phase, and nothing is lost, left over or untold.

Once each; with NOTEBOOKS_TEST_ROUNDS=3 (`make test-slow ALL=1`) three times. The table is printed at the end.
"""

import hashlib
import os
import shutil
from contextlib import suppress

import psutil
import pytest

from jupyterhub_notebooks.ledger import audit
from jupyterhub_notebooks.spawners.processes import of_session
from tests.end_to_end.product import until

from .harness import HEALED_SECONDS, READY_SECONDS, Book, Ground
from .killing import run
from .table import CELLS, IMPOSSIBLE, PHASES, POSSIBLE, VICTIMS

ROUNDS = int(os.environ.get("NOTEBOOKS_TEST_ROUNDS", "1"))


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    """The product whose processes are killed."""
    made = Ground(tmp_path_factory.mktemp("kills"))
    yield made
    made.close()


def test_every_process_has_a_cell_for_every_phase_and_what_cannot_be_has_its_reason():
    assert {(cell.victim, cell.phase) for cell in CELLS} == {(v, p) for v in VICTIMS for p in PHASES}
    assert {(cell.victim, cell.phase) for cell in CELLS if cell.impossible} == set(IMPOSSIBLE)
    assert len(POSSIBLE) == 32


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("cell", POSSIBLE, ids=lambda cell: f"{cell.phase}-{cell.victim.replace('/', '-')}")
@pytest.mark.parametrize("round_", range(ROUNDS), ids=lambda number: f"round{number + 1}")
def test_what_dies_loses_nothing_leaves_nothing_and_is_told(ground, cell, round_, tmp_path, record_property):
    name = f"k{round_ + 1}-{cell.phase}-{cell.victim.replace('/', '-').lower()}"[:30]
    found = run(ground, cell, name, tmp_path)
    for key, value in vars(found).items():
        record_property(f"kill_{key}", value)
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_with_the_volume_gone_the_last_save_comes_back_and_what_stays_behind_is_told(ground):
    book = Book(ground, "volume-gone")
    session = book.start()
    book.write("before.txt")
    book.save()
    kept = dict(book.written)
    book.write("during.txt")
    for process in of_session(session.id):  # all at once, as with a machine
        with suppress(psutil.Error):
            process.kill()
    book.lose_volume()  # before anything could look at it
    until(lambda: book.session(session.id).closed_at, HEALED_SECONDS, what="the end of the session")
    # A run that only saves does not find it, and calls nothing lost: a disk that was not mounted comes back.
    tried = lambda: [one for one in book.past if one.kind == "save" and one.closed_at]  # noqa: E731
    until(tried, HEALED_SECONDS, what="a run that looked for it")
    assert book.unsaved and tried()[0].cause == "volume_away"

    # Its user starts from the last save, and what stays behind is told by number and name of the volume.
    assert ground.asked(f"{book.path}/start-from-save", "POST", {}) == 202
    until(lambda: book.is_ready, READY_SECONDS, 0.25, "the start from the last save")
    second = book.past[0]
    assert second.volume == f"{session.volume}.1"
    files = ground.product.state / "volumes" / f"{book.row.id}.1" / "files"
    assert hashlib.blake2b((files / "before.txt").read_bytes()).hexdigest() == kept["before.txt"]
    assert not (files / "during.txt").exists()
    left = [
        one
        for one in audit.rows(ground.ledger, subject=session.workspace)
        if one.action == "volume.set_aside"
    ]
    assert [(one.evidence["volume"], one.evidence["session"], one.evidence["head"]) for one in left] == [
        (session.volume, session.id, 1)
    ]
    assert left[0].evidence["files"] >= 1
    book.stop()
