"""`honker tail`."""

import json
import signal
import subprocess

import pytest

from ..support.program import COMMAND, environment, honker, running
from ..support.waiting import wait_until

WAITING = r"honker tail: waiting for events of t after offset \d+"


@pytest.fixture
def stream(db):
    return db.stream("t")


def payloads(done):
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line)["payload"] for line in done.stdout.splitlines()]


def read(path, *options):
    return payloads(honker("tail", path, "t", "--no-follow", "--json", *options))


def test_new_events_are_printed_and_old_ones_are_not(stream, path):
    stream.publish("old")
    with running("tail", path, "t") as program:
        program.expect_notice(r"honker tail: waiting for events of t after offset 1")
        stream.db.stream("other").publish("another topic")
        stream.publish({"total": 9900}, key="alice")
        program.expect(r'3  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{3})?  alice  \{"total": 9900\}')
        stream.publish("next")
        program.expect(r'4  .*  -  "next"')


def test_json_has_everything_that_is_known(stream, path):
    stream.publish([1], key="k")
    done = honker("tail", path, "t", "--no-follow", "--json")
    seen = json.loads(done.stdout)
    assert seen == {"offset": 1, "topic": "t", "key": "k", "payload": [1], "created_at": seen["created_at"]}
    assert seen["created_at"] > 1_700_000_000


def test_without_following_it_prints_what_is_there(stream, path):
    stream.publish_many(range(2500))  # more than one read returns
    assert read(path) == list(range(2500))


def test_without_following_it_ends_with_what_was_there_when_it_began(stream, path):
    """Otherwise a constant stream of new events would keep it running for ever."""
    # More than the pipe holds: after the first line was read, it cannot have reached the end.
    stream.publish_many(["x" * 10_000] * 100)
    with running("tail", path, "t", "--no-follow") as program:
        program.expect(r'1  .*  -  "x+"')
        stream.publish("late")
        code, output, errors = program.end()
    assert (code, output.count("\n"), errors) == (0, 99, "")
    assert "late" not in output


def test_it_begins_where_it_is_told_to(stream, path):
    stream.publish_many("abcde")
    assert read(path, "--from", "3") == ["d", "e"]
    assert read(path, "--from", "1", "-n", "2") == ["b", "c"]
    assert read(path, "--from-start", "--limit", "1") == ["a"]
    assert read(path, "--from", "99") == []
    assert honker("tail", path, "t", "--from-start", "--from", "1").returncode == 2


def test_from_the_start_it_goes_on_with_new_events(stream, path):
    stream.publish("old")
    with running("tail", path, "t", "--from-start", "-n", "2") as program:
        program.expect_notice(WAITING)
        program.expect(r'1  .*  -  "old"')
        stream.publish("new")
        program.expect(r'2  .*  -  "new"')
        assert program.end() == (0, "", "")


def test_a_consumer_resumes_where_it_was(stream, path):
    stream.publish_many("abcde")
    assert read(path, "--consumer", "audit", "-n", "2") == ["a", "b"]
    assert stream.get_offset("audit") == 2
    assert read(path, "--consumer", "audit") == ["c", "d", "e"]
    assert read(path, "--consumer", "audit") == []
    assert read(path, "--consumer", "audit", "--from-start", "-n", "1") == ["a"]
    assert stream.get_offset("audit") == 5, "an offset is never lowered"


def test_a_consumer_that_follows_saves_what_it_has_printed(stream, path):
    with running("tail", path, "t", "--consumer", "audit") as program:
        program.expect_notice(WAITING)
        stream.publish("a")
        program.expect(r"1  .*")
        wait_until(lambda: stream.get_offset("audit") == 1)
        program.signal(signal.SIGTERM)
        assert program.end() == (143, "", "")


def test_an_event_that_could_not_be_printed_is_not_saved(stream, path):
    stream.publish("a")
    with running("tail", path, "t", "--consumer", "audit") as program:
        program.expect_notice(WAITING)
        program.expect(r'1  .*  "a"')
        wait_until(lambda: stream.get_offset("audit") == 1)
        program.process.stdout.close()
        stream.publish("b")
        assert program.process.wait(timeout=45) == 128 + signal.SIGPIPE
        assert program.process.stderr.read() == ""
    assert stream.get_offset("audit") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_quietly(stream, path, number):
    with running("tail", path, "t") as program:
        program.expect_notice(WAITING)
        program.signal(number)
        assert program.end() == (128 + number, "", "")


def test_a_signal_ends_it_in_the_middle_of_a_long_history(stream, path):
    """Reading a long history never waits, so the signal must be noticed without a wait."""
    for _ in range(20):
        stream.publish_many(range(10_000))
    with running("tail", path, "t", "--from-start") as program:
        program.expect_notice(WAITING)
        program.line()
        program.signal()
        code, output, errors = program.end()
    assert (code, errors) == (130, "")
    assert output.count("\n") < 150_000


def test_the_head_of_a_long_history_ends_it_quietly(stream, path):
    stream.publish_many(range(10_000))
    tail = [*COMMAND, "tail", str(path), "t", "--no-follow"]
    with subprocess.Popen(tail, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as first:
        head = subprocess.run(["head", "-n", "1"], stdin=first.stdout, capture_output=True, timeout=45, check=True)
        first.stdout.close()
        errors = first.stderr.read()
        assert first.wait(timeout=45) == 128 + signal.SIGPIPE
    assert (head.stdout.count(b"\n"), errors) == (1, b"")


def test_text_that_is_not_json_comes_as_it_is(stream, path):
    """SQL may publish any text."""
    stream.db.engine.call("SELECT honker_stream_publish('t', NULL, 'plain {text')")
    assert read(path) == ["plain {text"]
