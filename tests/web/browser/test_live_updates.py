"""A page shows a commit of another process at once. The page itself takes the time, by the same machine's clock."""

import statistics
import time

import pytest
from playwright.sync_api import expect

from tests.support.processes import running
from tests.support.waiting import wait_until

ENQUEUE = """
import sys, time
import honker
with honker.open(sys.argv[1]) as db:
    queue = db.queue("live")
    queue.enqueue({"first": True})
    print("open", flush=True)
    for line in sys.stdin:
        began = time.time()
        job_id = queue.enqueue({"text": line.strip()})
        print(job_id, began * 1000, flush=True)
"""

# Notes for each row the time at which it has come.
NOTE_ROWS = """
() => {
    window.came = {};
    const note = () => {
        const rows = document.querySelectorAll("main tbody tr[data-key]");
        for (const row of rows) window.came[row.dataset.key] ??= Date.now();
    };
    note();
    new MutationObserver(note).observe(document.getElementById("main"), {childList: true, subtree: true});
}
"""
#: Seconds between two enqueues: a page that is busy fetches itself less often, and this is about one that is idle.
PAUSE_S = 0.8
#: The promise is for a machine that does nothing else; the short form runs beside other tests.
PROMISED_MS, SHORT_MS = 200, 3_000


@pytest.mark.timeout(120)
@pytest.mark.torture(short_s=4, share=1)
def test_a_job_of_another_process_appears_at_once(server, open_page, torture):
    page = open_page(server.url + "/jobs?queue=live")
    expect(page.locator("#live")).to_have_attribute("data-state", "on")
    page.evaluate(NOTE_ROWS)
    delays = []
    with running(ENQUEUE, server.path) as child:
        child.expect("open")
        for number in torture.rounds(at_least=5):
            quiet_until = time.monotonic() + PAUSE_S
            wait_until(lambda until=quiet_until: time.monotonic() > until, every_s=0.02)
            child.say(f"number {number}")
            job_id, began_ms = child.line().split()
            came = page.wait_for_function("id => window.came[id]", arg=job_id, polling=20).json_value()
            delays.append(came - float(began_ms))
    median = statistics.median(delays)
    torture.count("updates of a page seen", len(delays))
    torture.count("milliseconds in the median", round(median))
    print(f"{len(delays)} updates, median {median:.0f} ms, longest {max(delays):.0f} ms")
    assert median < (PROMISED_MS if torture.is_long else SHORT_MS), sorted(delays)


def test_a_count_changes_in_place_and_keeps_the_focus_and_the_selection(server, open_page):
    page = open_page(server.url + "/jobs?queue=emails&state=dead")
    page.locator('input[name="ids"]').first.check()
    page.locator("#search").fill("half typed")
    with running(ENQUEUE, server.path) as child:
        child.expect("open")
        page.wait_for_function("document.querySelector('#live').dataset.state === 'on'")
        child.say("x")
        child.line()
        expect(page.locator(".tabs")).to_be_visible()
    assert page.locator("#search").input_value() == "half typed"
    expect(page.locator("#selected")).to_have_text("1 selected")
    assert page.evaluate("document.activeElement.id") == "search"


def test_a_page_says_that_its_server_is_gone_and_recovers(shop, tmp_path, open_page):
    from .serving import Server  # noqa: PLC0415 - only this test starts a second server on the same port

    first = Server(shop, tmp_path / "first.log")
    first.wait()
    page = open_page(first.url + "/")
    open_page.watch.allowed.append("net::ERR_")  # the server is gone
    open_page.watch.expects_failures = True
    expect(page.locator("#live")).to_have_attribute("data-state", "on")
    first.stop()
    expect(page.locator("#live")).to_have_attribute("data-state", "lost")
    second = Server(shop, tmp_path / "second.log", port=first.port)
    try:
        second.wait()
        expect(page.locator("#live")).to_have_attribute("data-state", "on", timeout=30_000)
        expect(page.locator("#trouble")).to_be_hidden()
    finally:
        second.process.kill()
        second.process.wait()


#: The share of one processor that an open page may use while nothing happens.
IDLE_SHARE = 0.02


@pytest.mark.timeout(120)
@pytest.mark.torture(short_s=5, share=1)
def test_an_idle_page_costs_next_to_nothing(server, open_page, torture):
    page = open_page(server.url + "/jobs")
    expect(page.locator("#live")).to_have_attribute("data-state", "on")
    page.wait_for_load_state("load")
    fetched_until = time.monotonic() + 2  # the fetch that follows the beginning of the event stream
    wait_until(lambda: time.monotonic() > fetched_until, every_s=0.05)
    span_s = 30 if torture.is_long else torture.budget_s
    began, used_s = time.monotonic(), server.cpu_s
    wait_until(lambda: time.monotonic() > began + span_s, timeout_s=span_s + 30, every_s=0.05)
    share = (server.cpu_s - used_s) / (time.monotonic() - began)
    torture.count("hundredths of a percent of a processor for an idle page", round(share * 10_000))
    print(f"an idle page uses {share:.2%} of a processor")
    assert share < IDLE_SHARE
