"""`honker.contrib.wsgi`: the body of a response with server-sent events."""

import signal
import threading

import honker
import pytest
from honker.contrib import wsgi


@pytest.fixture
def orders(path):
    with honker.App(path) as app:
        yield app.stream("orders")


def test_a_client_gets_the_events_that_are_published_from_now_on(orders):
    orders.publish("before")
    body = wsgi.sse(orders)
    offset = orders.publish("while the response begins")
    assert next(body) == b"retry: 1000\n\n"
    assert next(body) == b'id: %d\ndata: "while the response begins"\n\n' % offset
    publishing = threading.Timer(0.05, orders.publish, ["later"])
    publishing.start()
    assert next(body).endswith(b'data: "later"\n\n')
    publishing.join()
    body.close()


def test_a_client_that_connects_again_gets_what_it_has_missed(orders):
    offsets = orders.publish_many([0, 1, 2])
    for last_event_id, options, expected in [
        (str(offsets[0]), {}, [1, 2]),
        ("none", {"from_offset": 0}, [0, 1, 2]),
        ("9" * 19, {"from_offset": 0}, [0, 1, 2]),
        ("9" * 5000, {"from_offset": 0}, [0, 1, 2]),
        (None, {"from_offset": offsets[1]}, [2]),
    ]:
        body = wsgi.sse(orders, last_event_id, event="order", **options)
        next(body)
        for number in expected:
            assert next(body).endswith(b"event: order\ndata: %d\n\n" % number)
        body.close()


def test_a_silent_stream_is_kept_alive_by_comments(orders):
    body = wsgi.sse(orders, ping_s=0.01)
    assert [next(body) for _ in range(3)] == [b"retry: 1000\n\n", b": ping\n\n", b": ping\n\n"]
    body.close()


class Worker:
    """The part of gunicorn's worker that the stop is read from."""

    alive = True

    def handle_exit(self, number, frame):
        self.alive = False


def test_the_body_ends_when_gunicorn_stops(orders):
    worker = Worker()
    previous = signal.signal(signal.SIGTERM, worker.handle_exit)
    try:
        body = wsgi.sse(orders)
        next(body)
        stopping = threading.Timer(0.05, signal.raise_signal, [signal.SIGTERM])
        stopping.start()
        assert list(body) == []
        stopping.join()
    finally:
        signal.signal(signal.SIGTERM, previous)


def test_the_name_of_events_is_one_line(orders):
    with pytest.raises(honker.InvalidArgumentError, match="one line"):
        wsgi.sse(orders, event="two\nlines")
