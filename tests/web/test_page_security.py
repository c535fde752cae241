"""Requests that the page refuses, and the headers that it sends with each answer."""

import honker
import pytest

from .browsing import browsing, words

TOKEN = "a-token-of-sixteen-characters"
HTML = {"accept": "text/html"}


@pytest.mark.parametrize(
    "url", ["/", "/jobs", "/dead", "/nothing", "/static/page.css", "/static/nothing.css", "/queue"]
)
def test_every_answer_forbids_foreign_and_inline_code(page, url):
    headers = page.get(url).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("url", ["/", "/jobs", "/job/1", "/dead", "/queue?name=q", "/jobs?state=dead"])
def test_no_page_has_inline_code_or_a_foreign_address(db, page, url):
    db.queue("q").enqueue(1)
    text = page.get(url).text
    assert " style=" not in text
    assert "<style" not in text
    assert "<script>" not in text
    assert " onclick" not in text
    assert "://" not in text.replace("http://www.w3.org", "")


def test_pages_are_not_kept_and_assets_are(page):
    text = page.get("/").text
    assert page.get("/").headers["cache-control"] == "no-store"
    style = text.split('rel="stylesheet" href="')[1].split('"')[0]
    assert "immutable" in page.get(style).headers["cache-control"]


@pytest.mark.parametrize("name", ["evil.example", "localhost.evil.example", "192.168.1.5", "", "127.0.0.2"])
def test_a_foreign_name_is_refused(page, name):
    answer = page.get("/", host=name)
    assert answer.status_code == 403
    assert "does not answer to the name" in answer.text


@pytest.mark.parametrize("name", ["localhost", "localhost:8777", "127.0.0.1:1", "[::1]", "[::1]:8777", "LOCALHOST"])
def test_a_name_of_this_machine_is_answered(page, name):
    assert page.get("/", host=name).status_code == 200


@pytest.mark.parametrize("client", [("192.168.1.5", 5), ("2001:db8::1", 5), ("testclient", 5)])
def test_another_machine_is_refused(db, client):
    with browsing(db, client=client) as page:
        assert page.get("/").status_code == 403


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "via", "x-real-ip", "x-forwarded-host"])
def test_a_proxy_before_the_page_is_refused(page, header):
    assert page.get("/", **{header: "1.2.3.4"}).status_code == 403


def test_allowed_hosts_open_it_to_others_under_these_names_only(db):
    with browsing(db, "http://jobs.example.org", ("192.168.1.5", 5), allowed_hosts=["Jobs.example.org"]) as page:
        assert page.get("/").status_code == 200
        assert page.get("/", host="other.example.org").status_code == 403
    with browsing(db, "http://any.example.org", ("192.168.1.5", 5), allowed_hosts=["*"]) as page:
        assert page.get("/").status_code == 200


@pytest.mark.parametrize("options", [{"token": "short"}, {"allowed_hosts": []}])
def test_weak_settings_are_refused(db, options):
    with pytest.raises(honker.InvalidArgumentError):
        honker.web.app(db, **options)


# Changes


def test_a_form_with_its_proof_changes_the_database(db, page):
    db.queue("q").enqueue(1)
    assert page.submit("/queue/pause", name="q").status_code == 303
    assert db.stats()[0].paused_at is not None


def refused(db, answer, status=403):
    assert answer.status_code == status
    assert db.stats()[0].paused_at is None


def test_a_form_without_the_proof_is_refused(db, page):
    db.queue("q").enqueue(1)
    page.get("/")
    refused(db, page.send("/queue/pause", {"name": "q"}))
    refused(db, page.send("/queue/pause", {"name": "q", "csrf": ""}))
    refused(db, page.send("/queue/pause", {"name": "q", "csrf": "x" * 43}))
    refused(db, page.send("/queue/pause", {"name": "q", "csrf": "é" * 43}))


def test_a_form_without_the_cookie_is_refused(db, page):
    db.queue("q").enqueue(1)
    refused(db, page.send("/queue/pause", {"name": "q", "csrf": "x" * 43}))
    refused(db, page.send("/queue/pause", {"name": "q", "csrf": ""}))


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
    ],
)
def test_a_form_of_another_site_is_refused_even_with_the_proof(db, page, headers):
    db.queue("q").enqueue(1)
    page.get("/")
    refused(db, page.send("/queue/pause", {"name": "q", "csrf": page.client.cookies["honker_csrf"]}, **headers))


def test_the_cookie_of_the_proof_is_for_this_site_and_hidden_from_scripts(page):
    cookie = page.get("/").headers["set-cookie"]
    assert "SameSite=strict" in cookie
    assert "HttpOnly" in cookie
    assert "Path=/" in cookie
    with_tls = page.get("https://localhost/", cookie="").headers["set-cookie"]
    assert "Secure" in with_tls


@pytest.mark.parametrize("url", ["/queue/pause", "/queue/resume", "/jobs/act", "/jobs/restore", "/job/copy"])
def test_a_change_is_no_get_request(page, url):
    assert page.get(url).status_code == 405


def test_a_form_that_is_too_large_is_refused(db, page):
    db.queue("q").enqueue(1)
    refused(db, page.submit("/queue/pause", name="q", reason="x" * 1_000_001), 413)


def test_a_read_only_page_has_no_forms_and_refuses_changes(db):
    dead = db.queue("q", max_attempts=1)
    dead.enqueue(1)
    dead.claim_one("w").fail("broken")
    dead.enqueue(2)
    with browsing(db, read_only=True) as page:
        for path in ("/", "/jobs", "/dead", "/job/1", "/job/2", "/queue?name=q"):
            answer = page.get(path)
            assert answer.status_code == 200
            assert 'method="post"' not in answer.text
        refused(db, page.submit("/queue/pause", name="q"))
        page.submit("/jobs/act", verb="requeue", ids="1")
    assert [each.state for each in db.jobs().jobs] == ["ready", "dead"]


# The token


def test_without_the_token_a_browser_is_led_to_the_form_and_a_program_is_refused(db):
    with browsing(db, token=TOKEN) as page:
        answer = page.get("/jobs?state=dead", **HTML)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Fjobs%3Fstate%3Ddead")
        assert page.get("/jobs").status_code == page.get("/events").status_code == 401
        assert page.get("/login").status_code == page.get("/static/page.css").status_code == 200
        assert page.send("/queue/pause", {"name": "q"}).status_code == 401


@pytest.mark.parametrize("url", ["/login/../jobs", "/login/x", "/static/../jobs", "//jobs", "/jobs/"])
def test_no_other_spelling_of_a_path_needs_no_token(db, url):
    db.queue("secret").enqueue(1)
    with browsing(db, token=TOKEN) as page:
        assert "secret" not in page.get(url, **HTML).text


def test_the_token_opens_the_page_in_a_browser(db):
    db.queue("emails").enqueue(1)
    with browsing(db, token=TOKEN) as page:
        page.get("/login")
        csrf = page.client.cookies["honker_csrf"]
        answer = page.send("/login", {"token": f" {TOKEN} ", "next": "/jobs?state=ready", "csrf": csrf})
        cookie = next(value for value in answer.headers.get_list("set-cookie") if "honker_session" in value)
        assert "HttpOnly" in cookie
        assert TOKEN not in cookie
        assert answer.headers["location"] == "/jobs?state=ready"
        assert "emails" in page.follow(answer).text
        page.submit("/logout")
        assert page.get("/", **HTML).status_code == 303


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb"]
)
def test_the_form_leads_to_no_other_site(db, target):
    with browsing(db, token=TOKEN) as page:
        page.get("/login")
        answer = page.send("/login", {"token": TOKEN, "next": target, "csrf": page.client.cookies["honker_csrf"]})
        assert answer.headers["location"] == "/"


@pytest.mark.parametrize("wrong", ["", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "é"])
def test_a_wrong_token_opens_nothing(db, wrong):
    with browsing(db, token=TOKEN) as page:
        page.get("/login")
        answer = page.send("/login", {"token": wrong, "csrf": page.client.cookies["honker_csrf"]})
        assert answer.status_code == 401
        assert "The token is wrong" in words(answer)
        assert page.get("/", authorization=f"Bearer {wrong}".encode()).status_code == 401
        assert page.get("/").status_code == 401


def test_a_program_sends_the_token_in_its_header_and_needs_no_other_proof(db):
    db.queue("q").enqueue(1)
    with browsing(db, "http://10.0.0.1", ("192.168.1.5", 5), token=TOKEN) as page:
        assert page.get("/", authorization=f"Bearer {TOKEN}").status_code == 200
        answer = page.send("/queue/pause", {"name": "q"}, authorization=f"bearer {TOKEN}")
        assert answer.status_code == 303
    assert db.stats()[0].paused_at is not None


def test_the_cookie_of_one_token_does_not_open_the_page_of_another(db):
    with browsing(db, token=TOKEN) as page, browsing(db, token=TOKEN + "2") as other:
        page.get("/login")
        page.send("/login", {"token": TOKEN, "csrf": page.client.cookies["honker_csrf"]})
        other.client.cookies.update(page.client.cookies)
        assert page.get("/").status_code == 200
        assert other.get("/").status_code == 401


def test_the_token_is_in_no_text_of_the_settings(db):
    from honker.web.site import Site  # noqa: PLC0415 - `honker.web` itself must not import it

    assert TOKEN not in repr(Site(source=db, token=TOKEN))


# Text of others

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


def test_every_text_of_the_database_is_escaped(db, page):
    queue = db.queue(EVIL, max_attempts=1)
    call = {"__honker_task__": {"task": EVIL, "args": [EVIL], "kwargs": {EVIL: EVIL}}}
    queue.configure(keep_finished_s=60)
    queue.enqueue(call, key=EVIL, unique_key=EVIL)
    queue.enqueue({EVIL: EVIL})
    queue.claim_one(EVIL).fail(f"{EVIL}: {EVIL}")
    queue.claim_one(EVIL).progress(1, 2, EVIL)
    queue.enqueue(call)
    queue.pause(reason=EVIL)
    paths = [
        "/",
        "/jobs",
        f"/queue?name={EVIL}",
        "/dead",
        "/job/1",
        "/job/2",
        "/job/3",
        f"/jobs?error={EVIL}",
        f"/jobs?since={EVIL}",
    ]
    for path in [*paths, f"/jobs?q=state:{EVIL}", f"/dead?queue={EVIL}"]:
        text = page.get(path).text
        assert "<script>alert" not in text, path
        assert "<img src=x" not in text, path
        assert "\"'>" not in text, path
    asked = page.submit("/jobs/act", verb="requeue", scope="all", queue=EVIL, error=EVIL)
    assert "<script>alert" not in asked.text
    assert "1 job?" in words(asked)
    shown = page.follow(page.submit("/queue/resume", name=EVIL))
    assert "<script>alert" not in shown.text
    assert "&lt;script&gt;" in shown.text


def test_a_forged_message_shows_text_only_and_leads_nowhere_else(page):
    import base64  # noqa: PLC0415
    import json  # noqa: PLC0415

    for undo in (["//evil.example", {}], ["/jobs/act", {"verb": "delete"}], 5, {"a": 1}):
        forged = base64.urlsafe_b64encode(json.dumps([EVIL, False, undo]).encode()).decode()
        text = page.get("/", cookie=f"honker_flash={forged}").text
        assert "<script>alert" not in text
        assert ">Undo<" not in text
    assert page.get("/", cookie="honker_flash=garbage").status_code == 200
