"""Which rule says what snapshots of a notebook stay.

Promises: a rule that keeps less than the one before holds only after the notebook has been started with it and some days
have passed; a start that came to nothing changes no rule, and going back in time changes it back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from jupyterhub_notebooks.ledger import Ledger, sessions
from jupyterhub_notebooks.ledger.sessions import Ready
from jupyterhub_notebooks.settings import Settings
from jupyterhub_notebooks.workspace.retention import Rule, rule_of, widest


@dataclass(frozen=True)
class Standing:
    """rule: what holds now. later: what will hold alone from ``at`` on; None where that is the same."""

    rule: Rule
    later: Rule
    at: datetime | None = None


def standing(settings: Settings, runs: Sequence[Ready], now: datetime) -> Standing:
    """Pure. runs: of the notebook, newest first, at least those of the days of waiting and the one before."""
    rules = [rule_of(settings.retention, run.retention) for run in runs]
    if not rules:
        rule = rule_of(settings.retention)
        return Standing(rule, rule)
    wait = timedelta(days=settings.retention_wait_days)
    rule, at = rules[0], None
    for newer, was in zip(runs, rules[1:], strict=False):
        ends = newer.ready_at + wait  # so long holds on what the run before that one had
        if ends <= now:
            break
        if widest(rules[0], was) != rules[0]:
            rule = widest(rule, was)
            at = max(at, ends) if at is not None else ends
    return Standing(rule, rules[0], at)


def of_notebook(ledger: Ledger, settings: Settings, notebook: str, now: datetime) -> Standing:
    """What holds for a notebook."""
    since = now - timedelta(days=settings.retention_wait_days)
    runs = sessions.ready_since(ledger, notebook, since)
    if not runs:
        last = sessions.of_notebook(ledger, notebook, 1)
        asked: Mapping[str, int] | None = last[0].launch.get("retention") if last else None
        rule = widest(rule_of(settings.retention), rule_of(settings.retention, asked))
        return Standing(rule, rule)
    return standing(settings, runs, now)
