"""A real browser on a real ``honker web``. An error in its console or a request to another origin fails the test."""

import contextlib
import shutil
import sqlite3
from pathlib import Path
from urllib.parse import urlsplit

import honker
import pytest

from tests.web.browser.serving import run_script, serving, working

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DEADLINE_MS = 15_000
DESKTOP = {"width": 1280, "height": 900}


# Playwright runs an event loop in this thread while it is open, so it is closed before the tests of other modules.
@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no chromium on PATH; install the package chromium to test the page in a browser")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as api:
        running = api.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield running
        running.close()


@pytest.fixture(scope="session")
def filled(tmp_path_factory):
    """The file of the shop, made once; tests use copies."""
    path = tmp_path_factory.mktemp("filled") / "shop.db"
    run_script("shop_file.py", "fill", path)
    return path


@pytest.fixture
def shop(filled, path):
    """A copy of the file of the shop."""
    copy(filled, path)
    return path


def copy(source_path, target_path):
    opened = contextlib.closing(sqlite3.connect(source_path)), contextlib.closing(sqlite3.connect(target_path))
    with opened[0] as source, opened[1] as target:
        source.backup(target)


@pytest.fixture
def server(shop, tmp_path):
    """The page of the shop."""
    with serving(shop, tmp_path / "web.log") as running:
        yield running


@pytest.fixture(scope="session")
def busy_server(filled, tmp_path_factory):
    """The page of the shop while workers hold some of its jobs, for tests that only read."""
    folder = tmp_path_factory.mktemp("busy")
    copy(filled, folder / "shop.db")
    with working(folder / "shop.db"), serving(folder / "shop.db", folder / "web.log") as running:
        yield running


@pytest.fixture
def read_only_server(shop, tmp_path):
    """The page of the shop, started with ``--read-only``."""
    with serving(shop, tmp_path / "web.log", "--read-only") as running:
        yield running


@pytest.fixture
def empty_server(path, tmp_path):
    """The page of a file without jobs."""
    honker.open(path).close()
    with serving(path, tmp_path / "web.log") as running:
        yield running


class Watch:
    """The faults that a page has shown, as sentences.

    Attributes:
        allowed: Parts of console messages that the test expects.
        expects_failures: True if requests fail because the test stops the server.
    """

    def __init__(self):
        self.faults = []
        self.allowed = []
        self.expects_failures = False

    def follow(self, page, origin):
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(f"page error: {error}"))
        page.on("request", lambda request: self._request(request.url, origin))
        page.on("requestfailed", self._failed)

    def _console(self, message):
        if message.type in {"error", "warning"} and not any(part in message.text for part in self.allowed):
            self.faults.append(f"console {message.type}: {message.text}")

    def _request(self, url, origin):
        if not url.startswith(("data:", "blob:", "about:")) and urlsplit(url).netloc != urlsplit(origin).netloc:
            self.faults.append(f"request to another origin: {url}")

    def _failed(self, request):
        # Leaving a page aborts its event stream.
        if not self.expects_failures and "ERR_ABORTED" not in (request.failure or ""):
            self.faults.append(f"failed request: {request.url}: {request.failure}")


@pytest.fixture
def open_page(browser):
    """Open pages in contexts of their own: ``open_page(server.url + "/", color_scheme="dark")``."""
    contexts, watch = [], Watch()

    def open_one(url, **options):
        context = browser.new_context(**{"viewport": DESKTOP, "reduced_motion": "reduce", **options})
        contexts.append(context)
        context.set_default_timeout(DEADLINE_MS)
        page = context.new_page()
        watch.follow(page, url)
        page.goto(url)
        return page

    open_one.watch = watch
    yield open_one
    for context in contexts:
        context.close()
    assert watch.faults == []


@pytest.fixture(scope="session")
def axe_source():
    """The script of axe-core."""
    package = pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    return (Path(package.__file__).parent / "axe.min.js").read_text("utf-8")


@pytest.fixture
def violations(axe_source):
    """List the serious violations of all accessibility rules in a page, or of the given ones, by axe-core."""

    def check(page, *rules):
        page.evaluate(axe_source)  # not a script element: the page's policy would refuse it
        options = {"resultTypes": ["violations"]} | ({"runOnly": list(rules)} if rules else {})
        result = page.evaluate("options => axe.run(document, options)", options)
        return [
            f"{each['id']}: {each['help']} at {', '.join(str(node['target']) for node in each['nodes'][:5])}"
            for each in result["violations"]
            if each["impact"] in {"serious", "critical"}
        ]

    return check
