"""Fits honker's docstrings to autodoc, before napoleon reads their sections.

The docstrings have three things of their own: blocks of code that are only indented, or fenced as in Markdown; the
lines `Cost:` and `Source:` at their end; and references such as [`from_sqlite`][].
"""

import re
from typing import Any

import honker
from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.domains.python import PyObject
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

_REFERENCE = re.compile(r"\[`([^`]+)`\]\[\]")
_FACT = re.compile(r"(Cost|Source): ")
_TWIN = re.compile(r"Like `\w+`, without blocking the event loop\.$")
_FENCE = re.compile(r"( *)```(\w*)")


def convert(*arguments: Any) -> None:
    """Convert the lines, the last argument of the event, in place."""
    lines: list[str] = arguments[-1]
    lines[:] = facts(code_blocks(unfenced(lines)))
    name_twin(lines, name=arguments[2])


def skip_twins(app: Sphinx, what: str, name: str, obj: object, *_: Any) -> bool | None:
    """Leave out asynchronous twins that only repeat a method; the method names its twin."""
    return True if _TWIN.match(obj.__doc__ or "") else None


def name_twin(lines: list[str], name: str) -> None:
    """Add the name of the asynchronous twin that the reference leaves out."""
    *owner, method = name.split(".")
    found: object = honker
    for part in owner[1:]:
        found = getattr(found, part, None)
    twin = getattr(found, f"a{method}", None)
    if twin is not None and _TWIN.match(twin.__doc__ or ""):
        lines += ["", f":Asynchronous: ``a{method}``"]


def unfenced(lines: list[str]) -> list[str]:
    """Indent fenced blocks of code, and drop the fences."""
    found: list[str] = []
    is_inside = False
    for line in lines:
        if _FENCE.match(line):
            is_inside = not is_inside
        else:
            found.append(f"    {line}" if is_inside and line else _REFERENCE.sub(r"`\1`", line))
    return found


def code_blocks(lines: list[str]) -> list[str]:
    """Mark a block of code: the lines after an empty one that are indented further than the line before that."""
    found: list[str] = []
    outer = -1  # the indentation of the text around the block; -1 outside of blocks
    before = ""
    for number, line in enumerate(lines):
        if line.strip():
            if outer < 0 and number and not lines[number - 1].strip() and before and indent(line) >= indent(before) + 4:
                outer = indent(before)
                if not before.endswith("::"):
                    found += [" " * outer + ".. code-block:: python", ""]
            elif outer >= 0 and indent(line) <= outer:
                outer = -1
            before = line
        found.append(line)
    return found


def facts(lines: list[str]) -> list[str]:
    """Make fields of `Cost:` and `Source:`."""
    found: list[str] = []
    for line in lines:
        if _FACT.match(line):
            found += ["", _FACT.sub(r":\1: ", line)]
        else:
            found.append(line)
    return found


def indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def find_error(app: Sphinx, env: BuildEnvironment, node: pending_xref, text: nodes.Element) -> nodes.Element | None:
    """Lead to an error's description in `honker.errors`; docstrings name errors alone, and `honker` exports them."""
    name = node["reftarget"].removeprefix("honker.")
    found = env.domains.python_domain.objects.get(f"honker.errors.{name}") if node["refdomain"] == "py" else None
    if found is None:
        return None
    return make_refnode(app.builder, node["refdoc"], found.docname, found.node_id, [text], name)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-process-docstring", convert, priority=100)
    app.connect("missing-reference", find_error)
    app.connect("autodoc-skip-member", skip_twins)
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"  # as in the docstrings
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
