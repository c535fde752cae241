"""Changes by clicks and keys in Chromium, checked in the file."""

import json
import re

import honker
import pytest
from playwright.sync_api import expect

from tests.support.waiting import wait_until


@pytest.fixture
def db(shop):
    """The file, in this process, to look at the effects."""
    with honker.open(shop) as opened:
        yield opened


def dead_of(db, **conditions):
    return len(db.jobs(state="dead", **conditions, limit=500).jobs)


def test_a_dead_job_is_requeued_from_its_page(server, db, open_page):
    page = open_page(server.url + "/job/60")
    page.get_by_role("button", name="Requeue").click()
    expect(page.locator(".flash").first).to_contain_text("1")
    assert db.job(60).state == "ready"


def test_a_waiting_job_is_cancelled_and_restored(server, db, open_page):
    page = open_page(server.url + "/job/90")
    page.get_by_role("button", name="Cancel").click()
    confirm = page.locator("dialog .confirm")
    confirm.get_by_role("button", name="Cancel").click()
    expect(page.locator(".flash").first).to_contain_text("cancelled")
    assert db.job(90).state == "cancelled"
    before = db.queue("emails").stats().ready
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".flash").first).to_contain_text("enqueued again")
    assert db.queue("emails").stats().ready == before + 1


def test_a_queue_is_paused_and_resumed(server, db, open_page):
    page = open_page(server.url + "/")
    row = page.locator('tr[data-key="emails"]')
    row.get_by_role("button", name="Pause").click()
    expect(row.locator(".pill")).to_contain_text("paused")
    assert db.queue("emails").stats().paused_at is not None
    row.get_by_role("button", name="Resume").click()
    expect(row.get_by_role("button", name="Pause")).to_be_visible()
    assert db.queue("emails").stats().paused_at is None


def test_all_jobs_of_a_filter_are_requeued_together(server, db, open_page):
    assert dead_of(db, queue="emails") == 9
    others = dead_of(db) - 9
    page = open_page(server.url + "/jobs?state=dead&queue=emails")
    page.locator("#scope").select_option("all")
    page.get_by_role("button", name="Requeue").click()
    confirm = page.locator("dialog .confirm")
    expect(confirm).to_contain_text("9 jobs")
    confirm.get_by_role("button", name="Requeue").click()
    expect(page.locator(".flash").first).to_contain_text("9")
    assert (dead_of(db, queue="emails"), dead_of(db)) == (0, others)
    assert "queue=emails" in page.url  # the filter is kept


def test_selected_jobs_are_discarded_by_keys(server, db, open_page):
    page = open_page(server.url + "/jobs?state=dead&queue=invoices")
    ids = [int(each) for each in page.locator("tbody tr").evaluate_all("rows => rows.map(row => row.dataset.key)")]
    for key in ("j", "x", "j", "x"):
        page.keyboard.press(key)
    expect(page.locator("#selected")).to_have_text("2 selected")
    page.get_by_role("button", name="Discard").click()
    page.locator("dialog .confirm").get_by_role("button", name="Discard").click()
    expect(page.locator(".flash").first).to_contain_text("2")
    assert [db.job(each) is None for each in ids[:3]] == [True, True, False]


def test_keys_lead_through_the_pages(server, open_page):
    page = open_page(server.url + "/")
    for key, path in (("j", "/jobs"), ("s", "/schedules"), ("f", "/workflows"), ("t", "/throughput"), ("q", "/")):
        page.keyboard.press("g")
        page.keyboard.press(key)
        page.wait_for_url(server.url + path)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/queue\?name=emails"))
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()


def test_the_focus_is_visible_and_moves_through_the_page_by_tab(server, open_page):
    page = open_page(server.url + "/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(3):
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"


def test_a_search_is_kept_in_the_url(server, open_page):
    page = open_page(server.url + "/jobs")
    page.keyboard.press("/")
    page.keyboard.type("queue:emails waiting7@shop")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("queue=emails"))
    expect(page.locator("tbody tr")).to_have_count(1)
    page.reload()
    expect(page.locator("tbody tr")).to_have_count(1)


def test_a_workflow_shows_its_graph_and_its_dead_job_is_requeued(server, db, open_page):
    page = open_page(server.url + "/workflows")
    page.get_by_role("link", name="import that failed").click()
    boxes = page.locator(".graph a")
    assert boxes.evaluate_all("all => all.map(each => each.dataset.state)") == ["done", "dead", "dead"]
    assert page.locator(".graph .edge").count() == 2
    page.get_by_role("button", name="Requeue dead jobs").click()
    expect(page.locator(".flash").first).to_contain_text("Requeued 1 of 1")
    states = {job.name: job.state for job in db.workflows(after="3", limit=1).workflows[0].jobs}
    assert states == {"fetch": "done", "verify": "ready", "publish": "waiting"}
    boxes.nth(1).click()
    page.wait_for_url(re.compile("/job/"))


def test_a_workflow_is_cancelled_after_a_question(server, db, open_page):
    page = open_page(server.url + "/workflow/3")
    page.get_by_role("button", name="Cancel workflow").click()
    question = page.locator("dialog .confirm")
    expect(question).to_contain_text("7 of its jobs")
    question.get_by_role("link", name="Back").click()
    assert db.workflows(limit=1).workflows[0].states == {"done": 5, "ready": 3, "waiting": 4}
    page.get_by_role("button", name="Cancel workflow").click()
    question.get_by_role("button", name="Cancel workflow").click()
    expect(page.locator(".flash").first).to_contain_text("Cancelled workflow import of today")
    assert db.workflows(limit=1).workflows[0].states == {"done": 5, "cancelled": 7}


def test_a_schedule_is_run_paused_and_resumed(server, db, open_page):
    page = open_page(server.url + "/schedules")
    row = page.locator('tr[data-key="nightly-report"]')
    row.get_by_role("button", name="Run now").click()
    expect(page.locator(".flash").first).to_contain_text("has enqueued job")
    (job,) = db.jobs(queue="reports-daily").jobs
    assert json.loads(job.payload) == {"report": "daily"}
    row.get_by_role("button", name="Pause").click()
    expect(row.locator(".pill")).to_have_text("paused")
    page.get_by_role("button", name="Undo").click()
    expect(row.get_by_role("button", name="Pause")).to_be_visible()
    assert {each.name: each.enabled for each in db.schedules()}["nightly-report"]


def test_limits_are_changed_after_a_review_and_taken_back(server, db, open_page):
    page = open_page(server.url + "/limits")
    page.get_by_role("link", name="Change the limits of photos").click()
    open_page.watch.allowed.append("400 (Bad Request)")  # the console reports the answer to the first form
    page.get_by_label("Jobs at once", exact=True).fill("9")
    page.get_by_label("Starts: number").fill("30")
    page.get_by_role("button", name="Review the change").click()
    expect(page.locator('[role="alert"]:visible')).to_contain_text("seconds")  # a rate needs both
    assert page.get_by_label("Jobs at once", exact=True).input_value() == "9"
    page.get_by_label("Starts: seconds").fill("60")
    page.get_by_role("button", name="Review the change").click()
    expect(page.locator(".confirm")).to_contain_text("30 in 60 s")
    assert db.queue("photos").settings().concurrency == 4
    page.get_by_role("button", name="Change the limits").click()
    expect(page.locator(".flash").first).to_contain_text("Changed the limits of photos")
    assert (db.queue("photos").settings().concurrency, db.queue("photos").settings().rate) == (9, (30, 60.0))
    page.get_by_role("button", name="Undo").click()
    wait_until(lambda: db.queue("photos").settings().concurrency == 4)
    assert db.queue("photos").settings().rate is None


def test_counters_are_switched_off_and_on(server, db, open_page):
    page = open_page(server.url + "/throughput")
    page.get_by_role("button", name="Stop counting").click()
    expect(page.get_by_role("button", name="Switch them on")).to_be_visible()
    assert not db.settings().counters
    page.get_by_role("button", name="Switch them on").click()
    expect(page.get_by_role("button", name="Stop counting")).to_be_visible()
    assert db.settings().counters


def test_changes_work_without_script(server, db, open_page):
    page = open_page(server.url + "/jobs?state=dead&queue=emails", java_script_enabled=False)
    page.locator("#scope").select_option("all")
    page.get_by_role("button", name="Discard").click()
    page.locator(".confirm").get_by_role("button", name="Discard").click()
    assert "9" in page.locator(".flash").first.inner_text()
    assert dead_of(db, queue="emails") == 0
