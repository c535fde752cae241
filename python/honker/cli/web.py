"""The command ``honker web``."""

from __future__ import annotations

import ipaddress
import socket
import webbrowser
from typing import TYPE_CHECKING, Final

import click

from honker.cli.database_file import database_argument, open_existing
from honker.cli.output import bright, notice
from honker.errors import InvalidArgumentError
from honker.postgres.location import without_password
from honker.web import app

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_LOOPBACK_NAME: Final = "localhost"
_TOKEN_VARIABLE: Final = "HONKER_WEB_TOKEN"


@click.command(
    short_help="Serve a page with queues, jobs and all else, for a browser.",
    epilog=f"""\b
Examples:
  honker web shop.db
  honker web shop.db --read-only --port 9000
  honker web shop.tasks:app --open
  {_TOKEN_VARIABLE}=$(openssl rand -hex 16) honker web shop.db --host 0.0.0.0

It listens on this machine only. Another --host needs a token, which the browser asks for once; programs send
it as "Authorization: Bearer TOKEN". It needs `pip install 'honker-db[web]'`.

Exit codes: 1 error, 2 usage error, 130 Ctrl-C, 143 SIGTERM.""",
)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8777, show_default=True, help="The port; 0 takes a free one."
)
@click.option("--token", envvar=_TOKEN_VARIABLE, metavar="SECRET", help=f"Ask for this token; also {_TOKEN_VARIABLE}.")
@click.option("--read-only", "is_read_only", is_flag=True, help="Show everything, change nothing.")
@click.option(
    "--allow-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="Answer to this name, as behind a proxy. Give it again for further ones.",
)
@click.option("--root-path", default="", metavar="PATH", help="The path under which a proxy serves it, such as /jobs.")
@click.option("--open", "opens_browser", is_flag=True, help="Open it in the browser.")
@database_argument
def web(  # noqa: PLR0917 - click passes them by name
    path: str,
    host: str,
    port: int,
    token: str | None,
    is_read_only: bool,
    allowed_hosts: tuple[str, ...],
    root_path: str,
    opens_browser: bool,
) -> None:
    """Serve a page of the database DB until Ctrl-C: look at jobs, requeue, cancel, pause and more."""
    if not token and not _is_loopback(host):
        raise click.UsageError(
            f"--host {host} is open to other machines, so it needs a token: set {_TOKEN_VARIABLE}, or pass --token"
        )
    try:
        import uvicorn  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise click.ClickException("the page needs uvicorn: pip install 'honker-db[web]'") from error
    with open_existing(path) as db:
        try:
            page = app(db, read_only=is_read_only, token=token or None, allowed_hosts=allowed_hosts or None)
        except ImportError as error:
            raise click.ClickException(str(error)) from error
        except InvalidArgumentError as error:
            raise click.UsageError(str(error)) from error
        with _listen(host, port) as listener:
            url = _url(listener, root_path)
            notice(f"honker: {bright(url)} shows {without_password(path)}; Ctrl-C ends it")
            if opens_browser:
                webbrowser.open(url)
            served = _under(root_path.rstrip("/"), page)
            config = uvicorn.Config(served, log_level="warning", access_log=False, lifespan="off")
            uvicorn.Server(config).run(sockets=[listener])


def _under(root: str, page: ASGIApp) -> ASGIApp:
    """The application under a path of a proxy, which may cut the path off its requests or leave it on."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        whole = path if f"{path}/".startswith(f"{root}/") else root + path
        await page({**scope, "root_path": root, "path": whole}, receive, send)

    return serve


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == _LOOPBACK_NAME


def _listen(host: str, port: int) -> socket.socket:
    """Listen on an address.

    Raises:
        click.ClickException: Another program does, or the address is not one of this machine.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host} port {port}: {error.strerror}; try --port 0") from error
    # asyncio sets this option only on sockets that name TCP as their protocol. Without it the body of each answer waits
    # 40 ms for the receipt of its headers. Connections inherit it.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _url(listener: socket.socket, root_path: str) -> str:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}{root_path.rstrip('/')}/"
