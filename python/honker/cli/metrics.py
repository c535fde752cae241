"""``honker metrics``: the metrics of a file, printed once or served for Prometheus."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, Final

import click

from honker.cli.database_file import database_argument, open_existing
from honker.cli.output import Output, json_option, notice
from honker.cli.signals import run_until_signal
from honker.database import Database

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_PORT_MAX: Final = 65_535
_LOOPBACK: Final = "127.0.0.1"


def _read_address(ctx: click.Context, param: click.Parameter, text: str | None) -> tuple[str, int] | None:
    """Parse ``[HOST:]PORT``."""
    if text is None:
        return None
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > _PORT_MAX:
        raise click.BadParameter(f"{text!r} is no [HOST:]PORT, such as 9100, 0.0.0.0:9100 or [::1]:9100")
    return host.removeprefix("[").removesuffix("]") or _LOOPBACK, int(port)


@click.command(
    short_help="Print or serve metrics for Prometheus.",
    epilog="""\b
Examples:
  honker metrics shop.db
  honker metrics shop.db --json
  honker metrics shop.db --serve 9100
  honker metrics shop.db --serve 0.0.0.0:9100

It needs `pip install honker-db[prometheus]`. The counters of jobs and attempts need
`honker.open("shop.db").configure(counters=True)`, once for the file.

Exit codes: 0 done, 1 error, 2 usage error, 130 Ctrl-C, 143 SIGTERM.""",
)
@database_argument
@click.option(
    "--serve",
    "address",
    callback=_read_address,
    metavar="[HOST:]PORT",
    help="Serve them at http://HOST:PORT/metrics until Ctrl-C; this machine alone unless HOST says otherwise.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, 9_999),
    default=1_000,
    show_default=True,
    metavar="N",
    help="Show at most N queues, tasks, schedules and consumers.",
)
@json_option
def metrics(path: str, address: tuple[str, int] | None, limit: int, is_json: bool) -> int:
    """Print the metrics of the database DB in the text format of Prometheus, or serve them.

    With --json it prints one object for each value, with its name, type and labels.
    """
    if address is not None and is_json:
        raise click.UsageError("--serve and --json exclude each other; Prometheus reads the text format")
    with open_existing(path) as db:
        registry = _registry(db, limit)
        if address is not None:
            return run_until_signal(lambda: _serve(registry, *address))
        if is_json:
            output = Output(is_json=True)
            for record in _records(registry):
                output.line("", record)
        else:
            from prometheus_client import generate_latest  # noqa: PLC0415 - an extra

            Output(is_json=False).line(generate_latest(registry).decode().rstrip("\n"), {})
    return 0


def _registry(db: Database, limit: int) -> CollectorRegistry:
    """A registry with the metrics of a file.

    Raises:
        click.UsageError: The package ``prometheus-client`` is missing.
    """
    try:
        from prometheus_client import CollectorRegistry  # noqa: PLC0415 - an extra

        from honker.metrics.prometheus import Collector  # noqa: PLC0415 - imports the extra
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "prometheus_client":
            raise
        raise click.UsageError(
            "metrics need the package prometheus-client; pip install honker-db[prometheus]"
        ) from error
    registry = CollectorRegistry()
    registry.register(Collector(db, series_limit=limit))
    return registry


def _records(registry: CollectorRegistry) -> Iterator[dict[str, Any]]:
    for family in registry.collect():
        for sample in family.samples:
            yield {"name": sample.name, "type": family.type, "labels": sample.labels, "value": sample.value}


async def _serve(registry: CollectorRegistry, host: str, port: int) -> None:
    with _server(registry, host, port) as url:
        notice(f"honker: serving {url}")
        if not _is_loopback(host):
            notice("honker: without a password, for every machine that reaches this address")
        await asyncio.Event().wait()


@contextlib.contextmanager
def _server(registry: CollectorRegistry, host: str, port: int) -> Generator[str]:
    from prometheus_client import start_http_server  # noqa: PLC0415 - an extra

    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise click.ClickException(f"cannot serve at {host}:{port}: {error.strerror or error}") from error
    try:
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
