"""The pages of the site, as far as `make docs` does not check them: names, blocks that are not code, and dead links."""

import configparser
import contextlib
import json
import re
import shlex

import click
import honker
import pytest
import yaml
from honker.cli import main

from scripts import build_docs

from .pages import DOCS, blocks

# Pages whose projects and commands a test of their own walks.
WALKED = {"cli.md", "backup.md", "upgrading.md", "django.md", "fastapi.md", "flask.md", "sqlalchemy.md", "testing.md"}
WALKED |= {"tutorial.md"}
PAGES = sorted(DOCS.glob("**/*.md"))
# Run by test_documented_code.py, or parsed here.
CHECKED = {"python", "sql", "ini", "yaml", "dockerfile", "json"}
# The lines of a block that call the program.
COMMANDS = {
    "console": r"^\$ (?:docker compose exec \w+ )?honker (.+)$",
    "ini": r"^ExecStart=\S*/honker (.+)$",
    "sh": r"^honker (.+)$",
    "bash": r"^honker (.+)$",
}
INSTRUCTIONS = {"FROM", "RUN", "WORKDIR", "COPY", "USER", "ENV", "VOLUME", "CMD"}


def page_id(page):
    return str(page.relative_to(DOCS))


def found(language):
    """The blocks of a language in all pages, each with its page."""
    return [
        pytest.param(text, id=f"{page_id(page)}-{number}")
        for page in PAGES
        for number, (info, text) in enumerate(blocks(page))
        if info.split()[0] == language
    ]


def commands_of(language, text):
    """The calls of honker in a block, without remarks."""
    lines = re.findall(COMMANDS[language], text, re.MULTILINE) if language in COMMANDS else []
    return [shlex.split(line.replace("...", "x"), comments=True) for line in lines]


def parse(arguments):
    """Parse a command as the program does, without running it."""
    command, context = main.commands, None
    while isinstance(command, click.Group):
        context = click.Context(command, info_name="honker", parent=context)
        name, *arguments = arguments
        command = command.commands[name]
    with contextlib.suppress(click.exceptions.Exit):  # of options such as --list, which act while they are parsed
        command.make_context(command.name, arguments, parent=context)


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_each_block_is_checked_or_says_why_not(page):
    for info, text in blocks(page):
        language = info.split()[0]
        is_checked = language in CHECKED or language.startswith("{") or page.name in WALKED
        is_shell = language in {"console", "sh", "bash"} and re.search(r"\bhonker ", text)
        assert is_checked or is_shell or "no-run" in info or language in {"text", "nginx"}, f"{page_id(page)}: {info}"


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_the_commands_of_a_page_exist_with_their_options(page):
    for info, text in blocks(page):
        for arguments in commands_of(info.split()[0], text):
            parse(arguments)


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_the_commands_in_the_text_of_a_page_exist_with_their_options(page):
    text = re.sub(r"^(`{3,}).*?^\1$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for name, rest in re.findall(r"`(?:[A-Z_]+=\S+ )*honker ([a-z-]+)([^`]*)`", text):
        command = main.commands.commands[name]
        if not isinstance(command, click.Group):
            known = {option for parameter in command.params for option in (*parameter.opts, "--help")}
            assert set(re.findall(r"--[a-z-]+", rest)) <= known, f"honker {name}{rest}"


def test_a_command_that_does_not_exist_is_noticed():
    assert commands_of("console", "$ honker worker shop:app\nhonker worker: ok\n") == [["worker", "shop:app"]]
    assert commands_of("ini", "ExecStart=/srv/bin/honker backup a.db b.db\n") == [["backup", "a.db", "b.db"]]
    with pytest.raises(click.NoSuchOption):
        parse(["worker", "shop:app", "--fast"])


@pytest.mark.parametrize("text", found("ini"))
def test_an_ini_file_can_be_parsed(text):
    parser = configparser.RawConfigParser(strict=False, delimiters=["="])
    parser.read_string(text)
    assert parser.sections()


@pytest.mark.parametrize("text", found("yaml"))
def test_a_yaml_file_can_be_parsed(text):
    assert yaml.safe_load(text)


@pytest.mark.parametrize("text", found("json"))
def test_a_json_document_can_be_parsed(text):
    assert json.loads(text)


@pytest.mark.parametrize("text", found("dockerfile"))
def test_a_dockerfile_has_known_instructions_and_a_command_that_exists(text):
    lines = [line for line in text.splitlines() if line]
    assert {line.split()[0] for line in lines} <= INSTRUCTIONS
    [command] = [line.removeprefix("CMD ") for line in lines if line.startswith("CMD ")]
    program, *arguments = json.loads(command)
    assert program == "honker"
    parse(arguments)


def test_every_public_name_of_the_package_is_in_the_reference():
    pages = "\n".join(page.read_text("utf-8") for page in DOCS.glob("reference/python/*.md"))
    missing = [name for name in honker.__all__ if not re.search(rf":: honker\.{name}$", pages, re.MULTILINE)]
    errors = [name for name in missing if hasattr(honker.errors, name)]  # described as members of their module
    assert set(missing) - set(errors) == {"EXTENSION_ENTRYPOINT"}


def test_the_front_page_leads_to_the_questions_and_each_has_an_answer():
    assert "(faq.md)" in (DOCS / "index.md").read_text("utf-8")
    text = (DOCS / "faq.md").read_text("utf-8")
    answers = re.split(r"^### .*\?$", text, flags=re.MULTILINE)[1:]
    assert len(answers) == text.count("\n### ")
    assert all(len(answer.split()) > 3 for answer in answers)
    assert len(re.findall(r"Asked in \[", text)) >= 20


def test_a_dead_link_a_missing_anchor_and_a_foreign_file_are_noticed(tmp_path):
    (tmp_path / "a.html").write_text(
        '<h1 id="here"></h1><a href="#here"></a><a href="#gone"></a><a href="b.html#there"></a><a href="c.html"></a>'
        '<a href="https://example.com/"></a><img src="missing.png"><script src="https://example.com/x.js"></script>'
    )
    (tmp_path / "b.html").write_text('<p id="there"></p>')
    assert [problem.split(",")[0] for problem in build_docs.problems(tmp_path)] == [
        "a.html loads https://example.com/x.js from another server",
        "a.html links to #gone",
        "a.html links to c.html",
        "a.html links to missing.png",
    ]
