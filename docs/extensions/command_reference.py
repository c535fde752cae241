"""The directive `commands`: describes the commands of the program honker, from their declarations."""

import inspect
import re
from typing import Any

import click
from docutils import nodes
from docutils.statemachine import StringList
from honker.cli import main
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sql_reference import listed_object, table

_OPTION = re.compile(r"(?<![\w`-])--[a-z][a-z-]*")


class Commands(SphinxDirective):
    """Describe each command: usage, options, examples and exit codes."""

    def run(self) -> list[nodes.Node]:
        lines = []
        root = click.Context(main.commands, info_name="honker")
        for name, command in main.commands.commands.items():
            lines += describe(click.Context(command, info_name=name, parent=root))
        container = nodes.container()
        self.state.nested_parse(StringList(lines, "honker --help"), 0, container)
        return container.children


def describe(context: click.Context) -> list[str]:
    """Return the Markdown of a command, and of the commands in it."""
    command = context.command
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    lines = [f":::::{{option}} {context.command_path.removeprefix('honker ')}", "", paragraphs(command.help), ""]
    lines = [f":::::{{clicommand}} {context.command_path}", "```text", usage, "```", "", paragraphs(command.help), ""]
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    records = [option.get_help_record(context) for option in options]
    rows = [[f"`{names}`", paragraphs(effect)] for names, effect in filter(None, records)]
    lines += [*table(["option", "effect"], rows), ""] if rows else []
    lines += epilog(command.epilog)
    lines += [":::::", ""]
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            lines += describe(click.Context(inner, info_name=name, parent=context))
    return lines


def paragraphs(text: str | None) -> str:
    """Return the text with options as code: outside of code, the two hyphens would become a dash."""
    return _OPTION.sub(r"`\g<0>`", inspect.cleandoc(text or "").replace("\b\n", ""))


def epilog(text: str | None) -> list[str]:
    """Return the end of a help text; its examples become a block."""
    lines: list[str] = []
    for part in (text or "").strip().split("\n\n"):
        head, _, rest = part.removeprefix("\b\n").partition("\n")
        if head in {"Example:", "Examples:"}:
            lines += ["```console", *(f"$ {line.strip()}" for line in rest.splitlines()), "```", ""]
        else:
            lines += [paragraphs(part), ""]
    return lines


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_object_type("clicommand", "clicommand", objname="command", indextemplate="%s; command")
    listed_object(app, "clicommand")
    app.add_directive("commands", Commands)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
