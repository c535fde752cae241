"""The claims of docs/comparison.md: each of ours names a test, and each of others a source."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/comparison.md").read_text("utf-8")
HEADER = ["feature", "honker", "Huey", "Procrastinate", "Celery", "RQ"]
TESTS_HEADER = ["feature", "test in `tests/`"]


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


COMPARED, _, TESTED = TEXT.partition("## The tests")
ROWS = [cells(line) for line in COMPARED.splitlines() if line.startswith("| ") and cells(line) != HEADER]
TESTS = [cells(line) for line in TESTED.splitlines() if line.startswith("| ") and cells(line) != TESTS_HEADER]


def test_every_table_has_the_same_columns():
    assert COMPARED.count("|---|---|---|---|---|---|\n") == COMPARED.count("| feature |") > 0
    assert {len(row) for row in ROWS} == {len(HEADER)}


def test_each_claim_of_ours_has_a_test():
    assert [row[0] for row in ROWS] == [row[0] for row in TESTS]


@pytest.mark.parametrize("row", TESTS, ids=lambda row: row[0])
def test_a_claim_of_ours_names_a_test_that_exists(row):
    file, _, name = row[1].strip("`").partition("::")
    source = (ROOT / "tests" / file).read_text("utf-8")
    assert re.search(rf"^def {name}\(", source, re.MULTILINE), f"{file} has no {name}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_claim_about_another_names_its_documentation(row):
    for cell in row[2:]:
        assert cell == "not documented" or re.fullmatch(r"\[.+\]\[[hpcr]-[a-z]+\]", cell), cell


def test_every_source_is_used_and_every_used_source_is_given():
    given = set(re.findall(r"^\[([hpcr]-[a-z]+)\]: https://", TEXT, re.MULTILINE))
    assert given == set(re.findall(r"\]\[([hpcr]-[a-z]+)\]", TEXT))
