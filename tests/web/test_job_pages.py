"""The pages of queues, jobs and dead letters: their content and their links."""

import json
import re

import honker
import pytest

from .browsing import browsing, words


def call(name, *args, **kwargs):
    return {"__honker_task__": {"task": name, "args": list(args), "kwargs": kwargs}}


def listed(answer):
    """The ids of the jobs in a list, in order."""
    return [int(each) for each in re.findall(r'<tr data-key="(\d+)"', answer.text)]


def kill(db, name, error, count=1):
    queue = db.queue(name)
    ids = [queue.enqueue(call("shop.send", n), max_attempts=1) for n in range(count)]
    for _ in ids:
        queue.claim_one("w").fail(error)
    return ids


def test_an_empty_file_shows_the_command_that_fills_it(page):
    assert "honker enqueue app.db emails" in words(page.get("/"))
    assert "honker enqueue app.db emails" in words(page.get("/jobs"))
    assert "No dead letters" in words(page.get("/dead"))


def test_the_first_page_counts_the_jobs_of_each_queue_by_state(db, page):
    emails = db.queue("emails")
    emails.configure(concurrency=7)
    emails.enqueue_many(range(5))
    emails.enqueue(1, delay=60)
    emails.claim_batch("w", 2)
    db.queue("reports").enqueue(1)
    db.queue("reports").pause(reason="disk full", until=9_000_000_000)
    shown = words(page.get("/"))
    assert "emails 3 1 2 / 7 0 0 0" in shown
    assert "reports paused, ends in" in shown
    assert "disk full" in shown
    assert "db.configure(counters=True)" in shown
    db.configure(counters=True)
    db.queue("emails").enqueue(1)
    assert "enqueued in the last hour: 1" in page.get("/").text


def test_a_count_beyond_its_bound_is_a_lower_bound(db, page):
    for name in ("a", "b", "c", "d", "e", "f"):
        db.queue(name).enqueue(1)
    db.queue("a").enqueue_many(range(1_005))
    assert "a 1,000+ 0 0" in words(page.get("/"))
    assert "ready 1,006" in words(page.get("/queue?name=a"))


def test_the_list_is_newest_first_and_goes_on(db, page):
    db.queue("q").enqueue_many(range(120))
    first = page.get("/jobs")
    assert listed(first) == list(range(120, 70, -1))
    older = re.search(r'href="([^"]*)" rel="next"', first.text)[1].replace("&amp;", "&")
    assert listed(page.get(older)) == list(range(70, 20, -1))
    assert "Newest" in words(page.get(older))


@pytest.mark.parametrize(
    ("url", "ids"),
    [
        ("/jobs?state=ready", [4, 3, 1]),
        ("/jobs?state=delayed", [2]),
        ("/jobs?state=dead", []),
        ("/jobs?queue=b", [4]),
        ("/jobs?key=k", [3]),
        ("/jobs?task=shop.send", [4, 1]),
        ("/jobs?id=1,3", [3, 1]),
        ("/jobs?args.to=alice", [4]),
        ("/jobs?args.0=7", [1]),
        ("/jobs?contains=needle", [3]),
        ("/jobs?since=1h", [4, 3, 2, 1]),
        ("/jobs?queue=a&state=ready&task=shop.send", [1]),
        ("/jobs?unknown=5", [4, 3, 2, 1]),
        ("/jobs?queue=&state=", [4, 3, 2, 1]),
    ],
)
def test_the_url_filters_the_list(db, page, url, ids):
    db.queue("a").enqueue(call("shop.send", 7))
    db.queue("a").enqueue(2, delay=60)
    db.queue("a").enqueue({"text": "a needle here"}, key="k")
    db.queue("b").enqueue(call("shop.send", to="alice"))
    assert listed(page.get(url)) == ids


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("queue:emails", "/jobs?queue=emails"),
        ('queue:"my queue" error:timeout', "/jobs?queue=my+queue&error=timeout"),
        ("17", "/jobs?id=17"),
        ("args.user.id:5", "/jobs?args.user.id=5"),
        ("http://example.org", "/jobs?contains=http%3A%2F%2Fexample.org"),
        ("two words", "/jobs?contains=two+words"),
        ("queue:", "/jobs?contains=queue%3A"),
        ("state:dead", "/jobs?state=dead"),
    ],
)
def test_the_search_box_leads_to_a_url(page, text, url):
    assert page.get("/jobs?q=" + text.replace("&", "%26")).headers["location"] == url


def test_a_search_keeps_the_state_and_shows_itself_again(db, page):
    db.queue("my queue").enqueue(1)
    found = page.follow(page.get("/jobs?state=ready&q=queue:'my queue'"))
    assert listed(found) == [1]
    assert re.search(r'name="q" value="([^"]*)"', found.text)[1] == "queue:&#39;my queue&#39;"
    again = page.get("/jobs?state=ready&q=queue:'my queue'")
    assert again.headers["location"] == "/jobs?state=ready&queue=my+queue"


@pytest.mark.parametrize(
    ("url", "trouble"),
    [
        ("/jobs?state=nonsense", "there is no state 'nonsense'"),
        ("/jobs?since=yesterday", "not a span"),
        ("/jobs?id=x", "not a number"),
        ("/jobs?id=" + "9" * 30, "not a number"),
        ("/jobs?args.a=1&contains=x", "search for one of them"),
        ("/jobs?q=%22open", "a quote without its end"),
    ],
)
def test_a_filter_without_a_meaning_is_explained(page, url, trouble):
    answer = page.get(url)
    assert answer.status_code == 200
    assert trouble in words(answer)


@pytest.mark.parametrize("url", ["/jobs?after=x", "/jobs?queue=" + "x" * 300, "/queue?name=" + "x" * 300])
def test_an_argument_that_the_engine_refuses_gives_a_page(page, url):
    answer = page.get(url)
    assert answer.status_code == 400
    assert "The request is not valid" in words(answer)


def test_a_job_shows_its_story(db, page):
    queue = db.queue("emails")
    queue.enqueue(call("shop.send", "alice", urgent=True), key="acme", priority=3)
    queue.claim_one("worker-1").retry(60, "ValueError: broken\nTraceback: line 2")
    shown = words(page.get("/job/1"))
    assert 'shop.send("alice", urgent=true)' in shown
    assert "attempt 1 failed" in shown
    assert "worker-1" in shown
    assert "Key acme" in shown
    assert "Priority 3" in shown
    assert "Delayed until" in shown
    payload = re.search(r"<h2>Payload</h2>.*?<pre>(.*?)</pre>", page.get("/job/1").text, re.DOTALL)[1]
    assert json.loads(payload.replace("&#34;", '"')) == call("shop.send", "alice", urgent=True)


def test_a_running_job_shows_its_progress_and_a_waiting_one_its_parents(db, page):
    queue = db.queue("q")
    parent = queue.enqueue(1)
    child = queue.enqueue(2, after=[parent])
    queue.claim_one("w").progress(30, 100, "rendering")
    assert "30 / 100 rendering" in words(page.get(f"/job/{parent}"))
    assert f"Waits for parent {parent}" in words(page.get(f"/job/{child}"))
    assert f'href="/job/{parent}"' in page.get(f"/job/{child}").text


def test_a_job_leads_to_its_workflow(db, page):
    report = db.queue("q").task(name="report")(print)
    workflow = db.workflow("nightly").add("report", report.s()).enqueue()
    (job_id,) = workflow.ids.values()
    assert f'href="/workflow/{workflow.id}"' in page.get(f"/job/{job_id}").text
    assert "Workflow" not in words(page.get(f"/job/{db.queue('q').enqueue(1)}")).split("Facts")[-1]


def test_a_job_that_is_gone_says_how_to_keep_such_jobs(page):
    answer = page.get("/job/5")
    assert answer.status_code == 404
    assert "keep_finished_s" in words(answer)
    assert page.get("/job/x").status_code == 404


def test_a_long_call_shows_its_arguments_in_the_list(db, page):
    db.queue("q").enqueue(call("shop.send", "x" * 500))
    assert "__honker_task__" not in page.get("/jobs").text


def test_dead_letters_are_grouped_by_error(db, page):
    kill(db, "emails", "TimeoutError: after 30 s", 3)
    kill(db, "emails", "ValueError: bad", 1)
    shown = words(page.get("/dead"))
    assert "3 TimeoutError" in shown
    assert "1 ValueError" in shown
    assert "TimeoutError" not in words(page.get("/dead?queue=other"))
    link = re.search(r'class="open" href="([^"]*Timeout[^"]*)"', page.get("/dead?window=1h").text)[1]
    assert listed(page.get(link.replace("&amp;", "&"))) == [3, 2, 1]


def test_a_queue_shows_its_settings_and_its_errors(db, page):
    db.configure(counters=True)
    db.queue("emails").configure(concurrency=5, rate=(100, 60), burst=10)
    kill(db, "emails", "TimeoutError: late", 2)
    shown = words(page.get("/queue?name=emails"))
    assert "concurrency 5" in shown
    assert "rate 100 in 1 min" in shown
    assert "2 TimeoutError shop.send" in shown
    assert "In 2" in shown
    assert page.get("/queue").status_code == 404


def test_a_fragment_is_the_part_that_changes(db, page):
    db.queue("q").enqueue(1)
    text = page.get("/jobs", **{"honker-fragment": "1"}).text
    assert text.startswith("<title>Jobs")
    assert "<html" not in text
    assert listed(page.get("/jobs", **{"honker-fragment": "1"})) == [1]


def test_times_are_absolute_too(db, page):
    db.queue("q").enqueue(1)
    found = re.search(r'<time datetime="([^"]*)" data-at="([\d.]+)" title="([^"]*) UTC">', page.get("/job/1").text)
    assert found[1].startswith(found[3].replace(" ", "T"))


def test_the_page_works_under_another_path(db):
    from starlette.applications import Starlette  # noqa: PLC0415
    from starlette.routing import Mount  # noqa: PLC0415

    db.queue("q").enqueue(1)
    outer = Starlette(routes=[Mount("/ops/honker", honker.web.app(db))])
    with browsing(db) as page:
        page.client._transport.app = outer
        for path in ("/", "/jobs", "/job/1", "/queue?name=q", "/dead", "/nothing"):
            text = page.get(f"/ops/honker{path}").text
            targets = re.findall(r'(?:href|action|src|data-live)="([^"#]*)"', text)
            assert len(targets) > 5
            assert all(each.startswith("/ops/honker/") for each in targets), targets
            style = re.search(r'rel="stylesheet" href="([^"]*)"', text)[1]
            assert page.get(style).status_code == 200
        csrf = page.client.cookies["honker_csrf"]
        answer = page.send("/ops/honker/queue/pause", {"name": "q", "csrf": csrf, "back": "/ops/honker/queue?name=q"})
        assert answer.headers["location"] == "/ops/honker/queue?name=q"
        outside = page.send("/ops/honker/queue/resume", {"name": "q", "csrf": csrf, "back": "/other"})
        assert outside.headers["location"] == "/ops/honker/"


def test_an_app_is_opened_by_the_first_request(path):
    app = honker.App(path)
    with browsing(app) as page:
        assert not path.exists()
        assert page.get("/").status_code == 200
        assert path.exists()
    app.close()


def test_the_application_says_which_package_is_missing(db, monkeypatch):
    import sys  # noqa: PLC0415

    monkeypatch.delitem(sys.modules, "honker.web.application", raising=False)
    monkeypatch.delattr(honker.web, "application", raising=False)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ImportError, match=r"the page needs jinja2: pip install 'honker-db\[web\]'"):
        honker.web.app(db)


@pytest.mark.parametrize("url", ["/job/", "/workflow/"])
@pytest.mark.parametrize("number", ["9" * 19, "9" * 40])
def test_an_id_that_no_job_can_have_is_not_found(page, url, number):
    assert page.get(url + number).status_code == 404


@pytest.mark.parametrize(
    ("url", "fields"),
    [
        ("/queue/pause", {"until": "1e400"}),
        ("/queue/pause", {"until": "soon"}),
        ("/queue/pause", {"for_s": "9" * 40}),
        ("/job/copy", {"id": "9" * 400}),
    ],
)
def test_a_number_of_a_form_that_is_out_of_range_is_refused(page, url, fields):
    answer = page.submit(url, name="q", **fields)
    assert (answer.status_code, "The request is not valid" in answer.text) == (400, True)
