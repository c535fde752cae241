"""The claims of docs/comparison.md: each of ours names a test, and each of others a source."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/comparison.md").read_text("utf-8")
HEADER = ["feature", "honker", "test", "Huey", "Procrastinate", "Celery", "RQ"]


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


ROWS = [cells(line) for line in TEXT.splitlines() if line.startswith("| ") and cells(line) != HEADER]


def test_every_table_has_the_same_columns():
    assert TEXT.count("|---|---|---|---|---|---|---|") == TEXT.count("| feature |")
    assert {len(row) for row in ROWS} == {len(HEADER)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_claim_of_ours_names_a_test_that_exists(row):
    file, _, name = row[2].strip("`").partition("::")
    source = (ROOT / "tests" / file).read_text("utf-8")
    assert re.search(rf"^def {name}\(", source, re.MULTILINE), f"{file} has no {name}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_claim_about_another_names_its_documentation(row):
    for cell in row[3:]:
        assert cell == "not documented" or re.fullmatch(r"\[.+\]\[[hpcr]-[a-z]+\]", cell), cell


def test_every_source_is_used_and_every_used_source_is_given():
    given = set(re.findall(r"^\[([hpcr]-[a-z]+)\]: https://", TEXT, re.MULTILINE))
    assert given == set(re.findall(r"\]\[([hpcr]-[a-z]+)\]", TEXT))
