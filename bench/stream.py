"""Streams: publish against `executemany` of the same rows, and read.

    python bench/stream.py [--quick | --full]

Reading goes through all events as a consumer, a thousand at a time, compared with a plain SELECT of the same rows into
dicts. Of the peers only the reference has streams.
"""

import sys

from support import floor, numbers, program, rounds
from support.checks import check
from support.sides import OURS, PLAIN, start

ONE_CALL = f"{OURS}, one call"
EACH = f"{PLAIN}, a call for each row"
SUBSCRIPTION = f"{OURS}, subscription and payloads"
SELECT = """SELECT "offset", topic, key, payload, created_at FROM _honker_stream
WHERE topic = 'bench' AND "offset" > ? LIMIT ?"""


def measure(run):
    with run.new_folder() as folder, start(run, OURS, PLAIN, "reference") as sides:
        row = floor.of_events(folder)
        publish(run, sides, row)
        publish_per_commit(run, sides, row)
        read(run, sides, row)


def publish(run, sides, row):
    count = run.size(200, 10_000)
    ways = {name: once(run, side, "publish_in_transaction", count, row) for name, side in sides.items()}
    ways[ONE_CALL] = once(run, sides[OURS], "publish_many", count, row)
    ways[EACH] = once(run, sides[PLAIN], "insert_each", count, row)
    figures = rounds.interleave(run, ways)
    run.measure("publish", f"publish {count:,} events in one transaction: events/s", figures)
    each, one_call, seen = (numbers.ratio(figures[way], figures[PLAIN])["median"] for way in (EACH, ONE_CALL, OURS))
    run.judge("stream_publish", seen, f"{EACH}: {each:.2f}; publish_many: {one_call:.2f}")


def publish_per_commit(run, sides, row):
    count = run.size(100, 4_000)
    ways = {name: once(run, side, "publish", count, row) for name, side in sides.items()}
    figures = rounds.interleave(run, ways)
    run.measure("publish_per_commit", f"publish {count:,} events, each in a commit of its own: events/s", figures)


def once(run, side, way, count, row):
    plain_ways = {"publish": "insert", "publish_in_transaction": "insert_many", "insert_each": "insert_each"}

    def measure_once():
        with run.new_folder() as folder:
            floor.open_new(side, folder, row)
            if side.name == PLAIN:
                taken = getattr(side, plain_ways[way])(statement=row.statement, row=row.row, count=count)
                seconds = taken[1] if way == "publish" else taken
                seen = side.rows(table=row.table)
            else:
                seconds = getattr(side, way)(count=count)
                seen = side.event_count()
            side.close()
        check(seen, count + 1, f"events that {side.name} has published, one to warm up included")
        return count / seconds

    return measure_once


def read(run, sides, row):
    count = run.size(500, 200_000)
    with run.new_folder() as folder:
        path = floor.open_new(sides[PLAIN], folder, row)
        sides[PLAIN].insert_many(statement=row.statement, row=row.row, count=count - 1)
        for name in sides.keys() - {PLAIN}:
            sides[name].open(path=path)
        ways = {name: reading(side, count) for name, side in sides.items()}
        ways[SUBSCRIPTION] = lambda: count / sides[OURS].consume_events(count=count)
        figures = rounds.interleave(run, ways)
        for side in sides.values():
            side.close()
    run.measure("read", f"read {count:,} events: events/s", figures)
    plain = numbers.spread(figures[PLAIN])["median"]
    run.judge("stream_read", numbers.spread(figures[OURS])["median"], f"a plain SELECT into dicts: {plain:,.0f}")


def reading(side, count):
    if side.name == PLAIN:
        return lambda: count / side.read(statement=SELECT, count=count)
    return lambda: count / side.read_events(count=count)


if __name__ == "__main__":
    sys.exit(program.main(__doc__, measure))
