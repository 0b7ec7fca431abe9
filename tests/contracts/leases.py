"""What a lease must do, as a row of the ledger or as objects in a store: one writer, and a number that only grows.

Each implementation's test class gives the fixture ``lease``, with ``take(who) -> number | None``, ``end(who)`` and
``may_commit(who) -> bool``; who is "one" or "two".
"""


class LeaseContract:
    def test_the_first_to_ask_gets_it(self, lease):
        assert lease.take("one") == 1
        assert lease.may_commit("one")

    def test_while_one_holds_it_two_does_not_get_it(self, lease):
        lease.take("one")
        assert lease.take("two") is None
        assert not lease.may_commit("two")
        assert lease.may_commit("one")

    def test_after_it_was_ended_the_next_gets_a_higher_number(self, lease):
        lease.take("one")
        lease.end("one")
        assert not lease.may_commit("one")
        assert lease.take("two") == 2
        assert lease.may_commit("two")
        lease.end("two")
        assert lease.take("one") == 3

    def test_who_was_pushed_out_commits_no_more(self, lease):
        lease.take("one")
        lease.push_out("one")
        assert lease.take("two") == 2
        assert not lease.may_commit("one")
        assert lease.may_commit("two")
