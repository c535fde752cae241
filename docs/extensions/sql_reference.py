"""The directive `sql-functions`: describes functions of reference.yaml.

Its content lists the names of the functions, in the order of the page. A function that no page lists is a warning.
`sql-errors` makes the table of the error codes, and `sql-types` describes the types that have fields.
"""

import json
import textwrap
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from docutils.statemachine import StringList
from honker.errors import ENGINE_ERRORS
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

FILE = Path(__file__).resolve().parents[2] / "reference.yaml"
CONTRACT = yaml.safe_load(FILE.read_text("utf-8"))
EFFECTS = {
    "read": "reads",
    "statement": "writes, in one statement",
    "transition": "writes, all or nothing",
    "outside": "changes nothing in the database; cannot be called from triggers and views",
}
LOCKS = {"never": "never", "always": "always", "when_needed": "only if there is something to write"}
RANGE = {
    "min": "from",
    "above": "above",
    "max": "to",
    "min_bytes": "bytes from",
    "max_bytes": "bytes to",
    "max_items": "items up to",
}
ENGINES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}

INT64_MAX = 2**63 - 1
#: Characters of an example's result.
EXAMPLE_LENGTH = 300

_log = logging.getLogger(__name__)


class _Described(SphinxDirective):
    """A directive that writes Markdown."""

    def write(self, lines: list[str]) -> list[nodes.Node]:
        self.env.note_dependency(str(FILE))
        container = nodes.container()
        self.state.nested_parse(StringList(lines, str(FILE)), 0, container)
        return container.children


class Functions(_Described):
    """Describe functions: arguments, result, errors, engines, examples."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        lines = []
        for name in " ".join(self.content).split():
            if name not in CONTRACT["functions"]:
                raise self.error(f"reference.yaml has no function {name}")
            _listed(self.env).setdefault(self.env.docname, set()).add(name)
            lines += describe(name, CONTRACT["functions"][name])
        return self.write(lines)


class Errors(_Described):
    """Describe the error codes."""

    def run(self) -> list[nodes.Node]:
        lines = []
        for code, entry in CONTRACT["errors"].items():
            facts = [
                ["next step", entry["action"]],
                ["retryable", "yes" if entry["retryable"] else "no"],
                ["result code of SQLite", entry["sqlite_code"]],
                ["class in Python", f"{{py:exc}}`honker.errors.{ENGINE_ERRORS[code].__name__}`"],
            ]
            lines += [f"::::{{errorcode}} {code}", text(entry["meaning"]), "", *fields(facts), "::::", ""]
        return self.write(lines)


class Types(_Described):
    """Describe the types of an argument or a result: those with fields, or the plain ones."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        lines = []
        for name, kind in CONTRACT["types"].items():
            if is_structured(kind) == (self.arguments[0] == "structured"):
                lines += [f"::::{{sqltype}} {name}", *type_body(kind), "::::", ""]
        return self.write(lines)


def is_structured(kind: dict[str, Any]) -> bool:
    return "fields" in kind or "items" in kind


def type_body(kind: dict[str, Any]) -> list[str]:
    """Return the Markdown of a type."""
    if "fields" in kind:
        rows = [[f"`{field}`", type_of(entry), about(entry)] for field, entry in kind["fields"].items()]
        return [text(kind.get("about", "")), "", *table(["field", "type", "about"], rows)]
    if "items" in kind:
        rows = [[f"`{entry['name']}`", type_of(entry), about(entry)] for entry in kind["items"]]
        return [text(kind.get("about", "")), "", *table(["item", "type", "about"], rows)]
    choices = ", ".join(f"`{value}`" for value in kind.get("one_of", []))
    facts = [kind["base"], limits(kind), kind.get("unit", ""), f"one of {choices}" if choices else ""]
    return [f"{', '.join(filter(None, facts))}. {text(kind.get('about', ''))}"]


def describe(name: str, entry: dict[str, Any]) -> list[str]:
    """Return the Markdown of a function."""
    errors = [code for group in entry["errors"] for code in CONTRACT["error_sets"].get(group, [group])]
    facts = [
        [
            "result",
            ". ".join(filter(None, (type_of(entry["result"]), entry["result"].get("about", ""), absence(entry)))),
        ],
        ["effect", EFFECTS[entry["effect"]]],
        ["write lock", LOCKS[entry["write_lock"]]],
        ["cost", entry["cost"]],
        ["engines", ", ".join(ENGINES[engine] for engine in entry["engines"])],
        ["since", entry["since"]],
        ["methods", ", ".join(f"`{method['receiver']}.{method['name']}`" for method in entry["methods"]) or "none"],
        ["errors", ", ".join(f"{{errorcode}}`{code}`" for code in errors)],
    ]
    forms = [entry["parameters"], *entry.get("overloads", [])]
    lines = [":::::{sqlfunction} " + signature(name, forms[0], min(entry["arities"]))]
    lines += [text(entry["summary"]), "", text(entry.get("about", "")), ""]
    for number, parameters in enumerate(forms):
        if number:
            lines += ["", f"Another form: `{signature(name, parameters, len(parameters))}`", ""]
        if parameters:
            lines += table(["argument", "type", "default", "about"], [argument(entry) for entry in parameters])
    lines += ["", *fields(facts), ""]
    if entry["examples"]:
        lines += ["```sql", *example(entry["examples"]), "```"]
    return [*lines, ":::::", ""]


def signature(name: str, parameters: list[dict[str, Any]], least: int) -> str:
    required = ", ".join(parameter["name"] for parameter in parameters[:least])
    rest = "".join(f"[, {parameter['name']}" for parameter in parameters[least:])
    rest = rest if required else rest.replace(", ", "", 1)
    return f"{name}({required}{rest}{']' * len(parameters[least:])})"


def argument(parameter: dict[str, Any]) -> list[str]:
    return [f"`{parameter['name']}`", type_of(parameter), default_of(parameter), about(parameter)]


def default_of(parameter: dict[str, Any]) -> str:
    if "default" not in parameter:
        return ""
    value = parameter["default"]
    return "NULL" if value is None else f"`{int(value) if isinstance(value, bool) else value}`"


def type_of(entry: dict[str, Any]) -> str:
    """Return the name of a type, with the limits of this argument only."""
    name = entry["type"]
    inner = name.removeprefix("array<").partition(">")[0].removesuffix(" or null")
    shown = f"{{sqltype}}`{inner}`" if inner in CONTRACT["types"] else f"`{inner}`"
    shown = f"array of {shown}" if name.startswith("array<") else shown
    return ", ".join(
        filter(None, (shown, entry.get("unit", ""), limits(entry), "or NULL" if entry.get("nullable") else ""))
    )


def limits(span: dict[str, Any]) -> str:
    """Return the range of numbers, of bytes or of items, without the limits of SQLite's integers."""
    found = [
        f"{word} {number(span[key])}" for key, word in RANGE.items() if key in span and abs_of(span[key]) < INT64_MAX
    ]
    return " ".join(found)


def abs_of(value: int | float | str) -> float:
    return 0 if isinstance(value, str) else abs(value)


def number(value: int | float | str) -> str:
    return value if isinstance(value, str) else f"{value:,}"


def about(entry: dict[str, Any]) -> str:
    own = entry.get("about", "")
    return own + (f" `{entry['as']}` in a binding." if "as" in entry else "")


def absence(entry: dict[str, Any]) -> str:
    result = entry["result"]
    if "absent" not in result or "about" in result:
        return ""
    return f"{'NULL' if result['absent'] is None else result['absent']} for none."


def example(examples: list[Any]) -> list[str]:
    """Return the first example; the tests run all of them."""
    lines = []
    for step in examples[0]:
        if "later" in step:
            lines.append(f"-- {step['later']} seconds later")
            continue
        lines.append(f"{step['sql']};")
        if "gives" in step:
            lines.append(f"-- {json.dumps(step['gives'])}")
        elif "json" in step:
            shown = json.dumps(step["json"], ensure_ascii=False)
            lines.append(f"-- {textwrap.shorten(shown, EXAMPLE_LENGTH, placeholder=' ...')}")
        elif "fails" in step:
            lines.append(f"-- Error: {step['fails']}")
    return lines


def text(value: str) -> str:
    return " ".join(value.split())


def fields(facts: list[list[str]]) -> list[str]:
    return [f":{name}: {text(value)}" for name, value in facts]


def table(heads: list[str], rows: list[list[str]]) -> list[str]:
    def line(cells: list[str]) -> str:
        return "| " + " | ".join(text(str(cell)).replace("|", "\\|") for cell in cells) + " |"

    return [line(heads), "|" + "---|" * len(heads), *map(line, rows)]


def _listed(env: BuildEnvironment) -> dict[str, set[str]]:
    if not hasattr(env, "sql_functions"):
        env.sql_functions = {}
    return env.sql_functions


def forget(_: Sphinx, env: BuildEnvironment, docname: str) -> None:
    _listed(env).pop(docname, None)


def check_all_are_listed(_: Sphinx, env: BuildEnvironment) -> None:
    missing = set(CONTRACT["functions"]) - set().union(*_listed(env).values())
    for name in sorted(missing):
        _log.warning("no page of the reference lists %s", name)


def parse(_: BuildEnvironment, written: str, node: addnodes.desc_signature) -> str:
    """Show the name of a function before its arguments, and return the name alone, under which it is found."""
    name, opening, arguments = written.partition("(")
    node += addnodes.desc_name(name, name)
    node += addnodes.desc_addname(opening + arguments, opening + arguments)
    return name


def listed_object(app: Sphinx, kind: str) -> None:
    """List the objects of a kind among the contents of their page."""

    class Listed(app.registry.domain_directives["std"][kind]):
        def _object_hierarchy_parts(self, node: addnodes.desc_signature) -> tuple[str, ...]:
            return (node.children[0].astext(),)

        def _toc_entry_name(self, node: addnodes.desc_signature) -> str:
            return node.children[0].astext()

    app.add_directive_to_domain("std", kind, Listed, override=True)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_object_type(
        "sqlfunction", "sqlfunction", parse_node=parse, objname="SQL function", indextemplate="%s; SQL function"
    )
    app.add_object_type("sqltype", "sqltype", objname="SQL type")
    app.add_object_type("errorcode", "errorcode", objname="error code", indextemplate="%s; error code")
    listed_object(app, "sqlfunction")
    listed_object(app, "sqltype")
    listed_object(app, "errorcode")
    app.add_directive("sql-functions", Functions)
    app.add_directive("sql-errors", Errors)
    app.add_directive("sql-types", Types)
    app.connect("env-purge-doc", forget)
    app.connect("env-check-consistency", check_all_are_listed)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}
