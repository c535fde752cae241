"""`honker listen`."""

import json
import signal

import pytest

from ..support.program import honker, running

WAITING = r"honker listen: waiting for notifications on .*"


def read_json(program):
    return json.loads(program.line())


def test_what_is_sent_is_printed_and_what_was_sent_before_is_not(db, path):
    db.notify("orders", "before")
    with running("listen", path, "orders") as program:
        program.expect_notice("honker listen: waiting for notifications on orders")
        db.notify("orders", {"id": 1, "customer": "Zoë"})
        program.expect(r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{3})?  orders  \{"id": 1, "customer": "Zoë"\}')
        db.notify("other", 2)
        db.notify("orders", 3)
        program.expect(r".*  orders  3")


def test_several_channels_come_in_the_order_in_which_they_were_sent(db, path):
    with running("listen", path, "a", "b", "a", "--json") as program:
        program.expect_notice(WAITING)
        with db.transaction() as tx:
            for number in range(20):
                db.notify("ab"[number // 3 % 2], number, tx=tx)
        seen = [read_json(program) for _ in range(20)]
    assert [each["payload"] for each in seen] == list(range(20))
    assert [each["channel"] for each in seen[:6]] == list("aaabbb")


def test_json_has_everything_that_is_known(db, path):
    with running("listen", path, "c", "--json") as program:
        program.expect_notice(WAITING)
        notification_id = db.notify("c", {"a": [1, None]})
        seen = read_json(program)
    assert seen == {
        "id": notification_id,
        "channel": "c",
        "payload": {"a": [1, None]},
        "created_at": seen["created_at"],
    }
    assert seen["created_at"] > 1_700_000_000


def test_it_ends_after_a_limit(db, path):
    with running("listen", path, "c", "-n", "2") as program:
        program.expect_notice(WAITING)
        with db.transaction() as tx:
            for number in range(5):
                db.notify("c", number, tx=tx)
        program.expect(r".*  c  0")
        program.expect(r".*  c  1")
        assert program.end() == (0, "", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_quietly(db, path, number):
    with running("listen", path, "c") as program:
        program.expect_notice(WAITING)
        program.signal(number)
        assert program.end() == (128 + number, "", "")


def test_a_closed_pipe_ends_it_quietly(db, path):
    with running("listen", path, "c") as program:
        program.expect_notice(WAITING)
        program.process.stdout.close()
        db.notify("c", 1)
        assert program.process.wait(timeout=45) == 128 + signal.SIGPIPE
        assert program.process.stderr.read() == ""


def test_a_channel_is_needed(db, path):
    done = honker("listen", path)
    assert done.returncode == 2
    assert "CHANNEL" in done.stderr
