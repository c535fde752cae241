"""The example shop under real customers, while its workers are killed.

`python -m examples.shop` runs as documented: web server, two workers, scheduler, mail server. Customers order through
HTTP, or in Chromium. Meanwhile the tests kill workers with SIGKILL, also while the mail server accepts a mail, and the
shop starts them again. At the end each order must have exactly one invoice and at least one mail. A second mail is
allowed only if a worker was killed between the two.
"""

import email
import itertools
import json
import mailbox
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from contextlib import closing, contextmanager
from pathlib import Path

import honker
import httpx
import pytest
from aiosmtpd.controller import Controller

from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(150)  # a busy machine may use up several of the deadlines below

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
START_S = 25
# For the last jobs of killed workers: a new worker starts, and the lease of 5 s expires.
END_S = 25
# The grace of the shop, and some time for a busy machine.
STOP_S = 12
WORKERS = ("worker 1", "worker 2")
QUEUES = ("invoices", "reports", "_outbox:mails")
STATES = ["placed", "invoiced", "mailed"]
ORDER_MAIL = re.compile(r"<order-(\d+)@shop\.example>")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Shop:
    """The running example.

    Attributes:
        kills: The instants at which workers were killed, one for each worker.
    """

    def __init__(self, folder, **environment):
        self.folder = folder / "data"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.kills = []
        self._killed = set()
        self._killing = threading.Lock()
        self._log = folder / "shop.log"
        self._environment = {**os.environ, "PYTHONWARNINGS": "error", "PYTHONUNBUFFERED": "1", **environment}

    @contextmanager
    def running(self):
        """Run it for the block; at the end nothing of it is left, even if the test has failed."""
        arguments = ["--folder", self.folder, "--port", self.port, "--smtp-port", free_port()]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "examples.shop", *map(str, arguments)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )
        try:
            wait_until(self._is_open, START_S, every_s=0.05)
            yield self
        except BaseException:
            print(self.output)
            raise
        finally:
            self.process.kill()
            self.process.wait()
            for pid in self.pids().values():
                kill_if_alive(pid)

    def _is_open(self):
        assert self.process.poll() is None, self.output
        return "the shop is open" in self.output and self._has_workers()

    @property
    def output(self):
        return self._log.read_text("utf-8")

    def pids(self):
        """The last process that was started under each name."""
        return {name: int(pid) for name, pid in re.findall(r"^([\w ]+): process (\d+)$", self.output, re.MULTILINE)}

    def kill(self, *names):
        """Kill workers like a power cut, except those that are dead and not started again yet."""
        with self._killing:
            pids = self.pids()
            for pid in {pids[name] for name in names} - self._killed:
                self._killed.add(pid)
                self.kills.append(time.monotonic())
                os.kill(pid, signal.SIGKILL)

    def wait_for_workers(self):
        """Wait until both workers run, those included that were killed."""
        wait_until(self._has_workers, START_S, every_s=0.05)

    def _has_workers(self):
        output, pids = self.output, self.pids()
        workers = {pids[name] for name in WORKERS}
        return not workers & self._killed and all(f"honker worker: pid={pid} " in output for pid in workers)

    def stop(self):
        """Stop it by Ctrl-C, and check that everything of it stops by itself."""
        pids = self.pids()
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(STOP_S)
        assert code == 0, self.output
        assert self.output.endswith("the shop is closed\n"), self.output
        assert "killed, it did not stop" not in self.output
        assert "Traceback" not in self.output, self.output
        assert not [name for name, pid in pids.items() if kill_if_alive(pid)]
        return time.monotonic() - began

    def database(self):
        return honker.open(self.folder / "shop.db")

    def rows(self, sql):
        with closing(sqlite3.connect(self.folder / "shop.db", timeout=20)) as connection:
            return connection.execute(sql).fetchall()


def kill_if_alive(pid):
    """Kill a process of the shop. Returns True if it was alive."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


class Inbox:
    """A mail server whose clients can be killed before they get its answer.

    Attributes:
        received: The instants at which each mail was accepted, by its Message-ID.
        invoices: The attachment of each mail with one.
    """

    def __init__(self):
        self.received = defaultdict(list)
        self.invoices = {}
        self.on_mail = lambda message_id: None

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content)
        message_id = message["Message-ID"]
        for part in message.walk():
            if part.get_content_type() == "application/pdf":
                self.invoices[message_id] = part.get_payload(decode=True)
        self.received[message_id].append(time.monotonic())
        self.on_mail(message_id)
        return "250 OK"

    def wait_for(self, count):
        """Wait until so many different mails have been accepted."""
        wait_until(lambda: len(self.received) >= count, END_S, every_s=0.02)

    @contextmanager
    def serving(self):
        server = Controller(self, hostname="127.0.0.1", port=free_port())
        server.start()
        try:
            yield f"smtp://127.0.0.1:{server.port}"
        finally:
            server.stop()


class Follower:
    """A client that follows the events of the shop in a thread."""

    def __init__(self, url):
        self.states = defaultdict(list)
        self.reports = []
        self._is_connected = threading.Event()
        self._thread = threading.Thread(target=self._follow, args=[url], daemon=True)
        self._thread.start()
        assert self._is_connected.wait(START_S)

    def _follow(self, url):
        with httpx.stream("GET", f"{url}/events", timeout=60) as response:
            self._is_connected.set()
            for line in response.iter_lines():
                if line.startswith("data: "):
                    self._take(json.loads(line.removeprefix("data: ")))

    def _take(self, event):
        if "order" in event:
            self.states[event["order"]["id"]].append(event["order"]["state"])
        else:
            self.reports.append(event["report"])

    def wait_for_end(self):
        """Wait until the server has ended the response."""
        self._thread.join(STOP_S)
        assert not self._thread.is_alive()


def wait_for_last_job(shop, order_ids):
    """Wait until all orders are mailed and no queue has a job."""

    def is_done():
        if shop.rows("SELECT count(*) FROM orders WHERE state = 'mailed'") != [(len(order_ids),)]:
            return False
        return all(db.queue(name).next_claim_at() is None for name in QUEUES)

    with shop.database() as db:
        wait_until(is_done, END_S, every_s=0.05)


@contextmanager
def report_due_now(shop):
    """Move the nightly report to the next second, and at the end of the block back to the night."""
    with shop.database() as db:
        scheduler = honker.Scheduler(db)
        assert [schedule.cron_expr for schedule in scheduler.list()] == ["0 3 * * *"]
        assert scheduler.update("nightly_report", schedule=honker.every_s(1))
        yield
        assert scheduler.update("nightly_report", schedule=honker.crontab("0 3 * * *"))


def check_rows(shop, order_ids):
    """Each order has exactly one invoice, and there are no dead letters."""
    invoiced = shop.rows("SELECT order_id, count(*) FROM invoices GROUP BY order_id ORDER BY order_id")
    assert invoiced == [(order_id, 1) for order_id in sorted(order_ids)]
    assert shop.rows("SELECT id FROM orders ORDER BY id") == [(order_id,) for order_id in sorted(order_ids)]
    with shop.database() as db:
        assert [db.queue(name).stats().dead for name in QUEUES] == [0, 0, 0]


def check_reports(shop):
    """The reports count each order exactly once."""
    placed = shop.rows("SELECT count(*), sum(cents) FROM orders")
    assert shop.rows("SELECT sum(orders), sum(cents) FROM reports") == placed


def duplicates_of(counts):
    return sum(count - 1 for count in counts)


def check_mails(shop, inbox, order_ids):
    """Each order was mailed with its invoice, again only after a kill, and at most once more for each kill."""
    orders = {match[1]: times for name, times in inbox.received.items() if (match := ORDER_MAIL.fullmatch(name))}
    assert orders.keys() == {str(order_id) for order_id in order_ids}
    for order_id, pdf in shop.rows("SELECT order_id, pdf FROM invoices"):
        assert inbox.invoices[f"<order-{order_id}@shop.example>"] == pdf
    for times in inbox.received.values():
        for first, second in itertools.pairwise(times):
            assert any(first <= kill <= second for kill in shop.kills), "a mail was repeated without a kill"
    assert duplicates_of(map(len, inbox.received.values())) <= len(shop.kills)


def check_kept_mails(shop, order_ids, most_duplicates):
    """Each order was mailed, as the shop's own mail server has it."""
    mails = Counter(message["Message-ID"] for message in mailbox.Maildir(shop.folder / "mails", create=False))
    assert mails.keys() >= {f"<order-{order_id}@shop.example>" for order_id in order_ids}
    assert duplicates_of(mails.values()) <= most_duplicates


def order(client, number):
    answer = client.post(
        "/orders", json={"customer": f"C {number}", "email": f"c{number}@x.example", "product": "tea", "quantity": 3}
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def test_each_order_is_invoiced_once_and_mailed_while_workers_are_killed(tmp_path):
    inbox = Inbox()
    with inbox.serving() as smtp_url, Shop(tmp_path, SMTP_URL=smtp_url).running() as shop:
        follower = Follower(shop.url)
        unanswered = []

        def kill_before_the_answer(message_id):
            # The courier waits for the answer of the server, which never comes.
            if len(inbox.received) in {3, 12} and len(inbox.received[message_id]) == 1:
                unanswered.append(message_id)
                shop.kill(*WORKERS)

        inbox.on_mail = kill_before_the_answer
        order_ids = []
        with httpx.Client(base_url=shop.url, timeout=20) as client:
            for batch, worker in enumerate(WORKERS, start=1):
                order_ids += [order(client, number) for number in range(8)]
                inbox.wait_for(8 * batch)
                shop.wait_for_workers()
                order_ids += [order(client, number) for number in range(8)]
                shop.kill(worker)  # it has orders to invoice and mails to deliver
        wait_for_last_job(shop, order_ids)
        shop.wait_for_workers()
        with report_due_now(shop):
            wait_until(lambda: follower.reports, END_S)
        wait_for_last_job(shop, order_ids)
        shop.stop()
        follower.wait_for_end()

    assert len(unanswered) == 2
    assert all(len(inbox.received[message_id]) > 1 for message_id in unanswered)
    check_rows(shop, order_ids)
    check_reports(shop)
    check_mails(shop, inbox, order_ids)
    assert follower.states == dict.fromkeys(order_ids, STATES)
    assert sum(report["orders"] for report in follower.reports) == len(order_ids)
    assert inbox.received.keys() > {
        f"<report-{number}@shop.example>" for (number,) in shop.rows("SELECT id FROM reports")
    }


def test_ctrl_c_in_the_middle_of_the_work_loses_nothing(tmp_path):
    with Shop(tmp_path).running() as shop:
        follower = Follower(shop.url)
        with httpx.Client(base_url=shop.url, timeout=20) as client:
            order_ids = [order(client, number) for number in range(10)]
        shop.stop()
        follower.wait_for_end()

    with Shop(tmp_path).running() as shop:
        wait_for_last_job(shop, order_ids)
        shop.stop()

    check_rows(shop, order_ids)
    check_kept_mails(shop, order_ids, most_duplicates=len(WORKERS))


@contextmanager
def chromium():
    """A page of a headless browser, and playwright's `expect`. At the end its console must be empty."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no `chromium`; in Debian: apt-get install chromium")
    complaints = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page, playwright.expect
        assert complaints == []
        browser.close()


def test_a_customer_sees_all_orders_mailed_in_the_page_while_workers_are_killed(tmp_path):
    shop = Shop(tmp_path)
    with chromium() as (page, expect), shop.running():
        page.goto(shop.url)
        page.get_by_text("live", exact=True).wait_for()
        order_ids = []
        for number in range(12):
            page.get_by_label("Name").fill(f"<b>Customer {number}</b>")
            page.get_by_label("E-mail").fill(f"c{number}@x.example")
            page.get_by_label("Product").select_option("cake")
            page.get_by_label("Quantity").fill("10")
            page.get_by_role("button", name="Order").click()
            page.get_by_text(f"Order {number + 1} is placed.").wait_for()
            order_ids.append(number + 1)
            if number in {3, 7}:
                page.locator("tr[data-state=mailed]").first.wait_for()
                shop.wait_for_workers()
                shop.kill(*WORKERS[: number // 3])
        mailed = page.locator("tr[data-state=mailed]")
        expect(mailed).to_have_count(len(order_ids), timeout=END_S * 1000)
        assert page.locator("#order-1 td").all_inner_texts()[1:] == (
            ["<b>Customer 0</b>", "10 x cake", "32.00", "mailed", "PDF"]
        )
        link = page.locator("#order-1 a").get_attribute("href")
        assert page.request.get(shop.url + link).body().startswith(b"%PDF")
        with report_due_now(shop):
            page.get_by_text("Last report:").wait_for(timeout=END_S * 1000)
        wait_for_last_job(shop, order_ids)
        page.reload()
        expect(mailed).to_have_count(len(order_ids))
        page.goto("about:blank")  # the end of the server would be an error of the page
        shop.stop()

    check_rows(shop, order_ids)
    check_reports(shop)
    assert len(shop.kills) == 3
    check_kept_mails(shop, order_ids, most_duplicates=3)
