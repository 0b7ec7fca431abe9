"""Orders are held open and come at once; many who wait cost one query."""

import asyncio
import threading
import time

from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.ledger import intents

from .conftest import fresh


def ask(service, session, do="save"):
    return intents.ask(service.ledger, session.id, do, "asked", session.row.user, SYSTEM_CLOCK.now())


class Waiter(threading.Thread):
    def __init__(self, service, session, after=""):
        super().__init__(daemon=True)
        self.ask = lambda: service.call(session, "GET", f"orders?after={after}")
        self.answer = None
        self.start()

    def run(self):
        self.answer = self.ask()


def test_an_order_that_is_there_is_answered_at_once(service, session):
    asked = ask(service, session, "checkpoint")
    status, answer = service.call(session, "GET", "orders")
    assert (status, [one["id"] for one in answer["orders"]]) == (200, [asked.id])
    assert answer["orders"][0]["do"] == "checkpoint"


def test_an_order_wakes_the_one_that_it_is_for(service):
    mara, lukas = fresh(service), fresh(service)
    waits = [Waiter(service, mara), Waiter(service, lukas)]
    asked = ask(service, mara, "finish")
    waits[0].join(10)
    assert waits[0].answer == (
        200,
        {
            "orders": [
                {"id": asked.id, "do": "finish", "cause": "asked", "actor": mara.row.user, "details": {}}
            ]
        },
    )
    assert waits[1].answer is None
    other = ask(service, lukas)
    waits[1].join(10)
    assert [one["id"] for one in waits[1].answer[1]["orders"]] == [other.id]


def test_an_order_that_was_taken_is_not_given_again_and_a_stop_is_none(service, session):
    taken = ask(service, session)
    waiter = Waiter(service, session, taken.id)
    ask(service, session, "stop")
    later = ask(service, session, "report")
    waiter.join(10)
    assert [one["id"] for one in waiter.answer[1]["orders"]] == [later.id]


async def test_many_who_wait_cost_one_query_and_go_home_when_the_service_ends(tmp_path):
    from jupyterhub_notebooks.ledger import Ledger, upgrade
    from jupyterhub_notebooks.services.agents.orders import Waiting

    class Counting(Ledger):
        asked = 0

        async def run(self, act, *args, **more):
            self.asked += 1
            return await super().run(act, *args, **more)

    ledger = Counting(f"sqlite:///{tmp_path}/ledger.sqlite")
    upgrade(ledger)
    waiting = Waiting(ledger)
    waits = [asyncio.create_task(waiting.wait(f"{number:026d}", "")) for number in range(200)]
    end = time.monotonic() + 10
    while ledger.asked < 2:
        assert time.monotonic() < end
        await asyncio.sleep(0.01)
    await waiting.close()
    assert await asyncio.gather(*waits) == [()] * 200
    assert ledger.asked < 20
    assert await waiting.wait("0" * 26, "", seconds=0.05) == ()
    await waiting.close()
    ledger.close()
