"""Each page in Chromium: accessible, free of errors, as wide as a phone, dark and light, without script, read-only."""

import re

import pytest

pytestmark = pytest.mark.timeout(240)  # axe-core takes a second for a page, on a busy machine several

PAGES = (
    "/",
    "/queue?name=emails",
    "/queue?name=imports",
    "/jobs",
    "/jobs?state=dead",
    "/jobs?queue=emails&key=none",
    "/job/118",
    "/job/60",
    "/job/134",
    "/dead",
    "/workers",
    "/schedules",
    "/workflows",
    "/workflow/1",
    "/workflow/2",
    "/workflow/3",
    "/streams",
    "/stream?topic=orders",
    "/event?topic=orders&offset=244",
    "/locks",
    "/limits",
    "/limits/change?queue=invoices",
    "/throughput",
    "/throughput?queue=emails&minutes=240",
)
EMPTY_PAGES = (
    *("/", "/jobs", "/dead", "/workers", "/schedules"),
    *("/workflows", "/streams", "/locks", "/limits", "/throughput"),
)
PHONE = {"width": 360, "height": 740}


@pytest.mark.parametrize(("scheme", "rules"), [("light", ()), ("dark", ("color-contrast",))])
def test_every_page_is_accessible_and_shows_no_error(busy_server, open_page, violations, scheme, rules):
    page = open_page(busy_server.url + "/", color_scheme=scheme)
    found = {}
    for path in PAGES:
        response = page.goto(busy_server.url + path)
        assert response.status == 200, path
        assert page.locator("main h1, main h2").count() > 0, path
        found[path] = violations(page, *rules)
    assert {path: each for path, each in found.items() if each} == {}


def test_the_dark_page_is_dark_and_the_light_page_is_light(server, open_page):
    def brightness(page):
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)[:3]))

    assert brightness(open_page(server.url, color_scheme="dark")) < 150
    page = open_page(server.url, color_scheme="light")
    assert brightness(page) > 600
    page.keyboard.press("t")
    assert brightness(page) < 150
    page.reload()  # a cookie keeps the choice
    assert brightness(page) < 150


def test_no_page_is_wider_than_a_phone(busy_server, open_page):
    page = open_page(busy_server.url + "/", viewport=PHONE, is_mobile=True, has_touch=True)
    widths = {}
    for path in PAGES:
        page.goto(busy_server.url + path)
        widths[path] = page.evaluate("document.documentElement.scrollWidth")
    assert {path: width for path, width in widths.items() if width > PHONE["width"]} == {}


def test_every_page_can_be_read_without_script(busy_server, open_page):
    page = open_page(busy_server.url + "/", java_script_enabled=False)
    expected = {
        "/": "emails",
        "/jobs?state=dead": "shop.charge",
        "/job/60": "order 1005: -5 is no amount of money",
        "/dead": "ConnectionError",
        "/workers": "sharpening the edges",
        "/schedules": "nightly-report",
        "/workflow/3": "counts.0.0.1",
        "/stream?topic=orders": "<b>urgent</b>",
        "/locks": "host-1:deploy",
        "/limits": "100 in 60 s",
        "/throughput": "shop.send_email",
    }
    for path, text in expected.items():
        page.goto(busy_server.url + path)
        assert text in page.locator("main").inner_text(), path


def test_links_lead_on_without_script(server, open_page):
    page = open_page(server.url + "/", java_script_enabled=False)
    page.get_by_role("link", name="Workflows").click()
    page.get_by_role("link", name="import of today").click()
    page.get_by_role("link", name="134").first.click()
    assert "waits for parent 133" in page.locator("main").inner_text().lower()


def test_a_read_only_page_has_no_button_that_changes_anything(read_only_server, open_page):
    page = open_page(read_only_server.url + "/")
    for path in PAGES:
        page.goto(read_only_server.url + path)
        assert page.locator('form[method="post"] button').count() == 0, path
        assert page.locator('main input[type="checkbox"]').count() == 0, path
    assert page.locator("text=read-only").is_visible()
    answer = page.request.post(read_only_server.url + "/queue/pause", form={"name": "emails"})
    assert answer.status == 403


def test_payloads_are_shown_as_text(server, open_page):
    page = open_page(server.url + "/jobs?queue=emails")
    assert page.locator("main script, main b").count() == 0
    assert "A <script>alert(1)</script> & more" in page.locator("main").inner_text()
    page.goto(server.url + "/event?topic=orders&offset=244")
    assert page.locator("main b").count() == 0
    assert "<b>urgent</b>" in page.locator("pre").inner_text()


def test_the_policy_of_the_page_blocks_injected_scripts(server, open_page):
    page = open_page(server.url + "/")
    open_page.watch.allowed.append("Content Security Policy")
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.isInjected = true";
            document.body.append(script);
        }"""
    )
    assert page.evaluate("window.isInjected") is None


def test_an_empty_file_says_on_each_page_what_fills_it(empty_server, open_page, violations):
    page = open_page(empty_server.url + "/")
    for path in EMPTY_PAGES:
        page.goto(empty_server.url + path)
        assert page.locator(".empty").is_visible(), path
        assert violations(page) == [], path
