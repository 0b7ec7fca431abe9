"""What is the matter with a session, for pages and the REST API."""

from __future__ import annotations

from dataclasses import replace

from jupyterhub_notebooks.enforcement import diagnosing
from jupyterhub_notebooks.enforcement.diagnosing import Diagnosis
from jupyterhub_notebooks.ledger import NotebookView, Session, audit, evidence, intents, sessions

from . import actions
from .api import ApiHandler
from .context import Context
from .listing import states
from .people import Person


class SessionDiagnosisHandler(ApiHandler):
    """GET: what happened to a run, why, whether its work is safe, what to do next, and on what evidence."""

    async def get(self, id: str) -> None:
        session, view = await actions.own_session(self.context, self.person, id)
        found = await diagnosis_of(self.context, self.person, session, view)
        self.write_json({"session": session.id, "title_of_notebook": view.notebook.title, **found.as_json()})


async def diagnosis_of(context: Context, person: Person, session: Session, view: NotebookView) -> Diagnosis:
    """Of any session of a notebook, also of one that is long over."""
    ledger = context.ledger
    if view.session is None or view.session.id != session.id:  # what a later one left unsaved is not its own
        view = replace(view, session=session, workspace=replace(view.workspace, unsaved_on=None))
    told = (await states(context, person, [view]))[0]
    stop = await ledger.run(intents.last_stop, session.id)
    return diagnosing.diagnose(
        told,
        session,
        context.now(),
        context.zone,
        failed=await ledger.run(audit.of_session, session.id, audit.FAILED, session.asked_at),
        stopped_on=evidence.lines(stop.evidence) if stop is not None else (),
        log=[line for _, line in await ledger.run(sessions.log, session.id, diagnosing.LINES)],
        contact=context.settings.contact,
    )
