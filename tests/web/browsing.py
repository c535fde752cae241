"""A browser without a screen: it requests pages of the application in this process, and sends their forms."""

import asyncio
import html
import re
from contextlib import contextmanager

import honker
import httpx

LOCAL = ("127.0.0.1", 50_000)


class Browser:
    """Requests with the cookies of the earlier ones."""

    def __init__(self, app, url="http://localhost", client=LOCAL):
        self._runner = asyncio.Runner()
        transport = httpx.ASGITransport(app, client=client, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url=url)

    def close(self):
        self._runner.run(self.client.aclose())
        self._runner.close()

    def get(self, path, **headers):
        """Request a page."""
        return self._runner.run(self.client.get(path, headers=headers))

    def send(self, path, fields, **headers):
        """Send fields, without the proof that a form of the page has."""
        return self._runner.run(self.client.post(path, data=fields, headers=headers))

    def submit(self, path, **fields):
        """Send a form with its proof, as a page of the application does."""
        if "honker_csrf" not in self.client.cookies:
            self.get("/")
        return self.send(path, {**fields, "csrf": self.client.cookies["honker_csrf"]})

    def follow(self, answer):
        """The page to which an answer leads."""
        assert answer.status_code == 303, answer.text
        return self.get(answer.headers["location"])


@contextmanager
def browsing(db, url="http://localhost", client=LOCAL, **options):
    """Open a browser on the application of a database."""
    browser = Browser(honker.web.app(db, **options), url, client)
    try:
        yield browser
    finally:
        browser.close()


def words(answer):
    """The text of a page, without its marks."""
    main = re.search(r"<main.*?</main>", answer.text, re.DOTALL)
    text = re.sub(r"<[^>]*>", " ", main[0] if main else answer.text)
    return " ".join(html.unescape(text).split())


def message(answer):
    """The message that a page shows after a change."""
    found = re.search(r'<div class="flash.*?<p>(.*?)</p>', answer.text, re.DOTALL)
    return html.unescape(found[1]) if found else None


def undo(answer):
    """The path and the fields of the undo button of a page."""
    form = re.search(r'<div class="flash.*?<form method="post" action="([^"]*)">(.*?)</form>', answer.text, re.DOTALL)
    pairs = re.findall(r'name="([^"]*)" value="([^"]*)"', form[2])
    return form[1], {name: html.unescape(value) for name, value in pairs}
