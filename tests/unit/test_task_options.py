"""The ranges that decorators check are those of the engine."""

import re
from pathlib import Path

import pytest
from honker.task import options as task_options

LIMITS = Path(__file__).resolve().parents[2] / "crates" / "honker-core" / "src" / "limits.rs"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("NAME_MAX_BYTES", r"NAME_MAX_BYTES: usize = ([\d_]+);"),
        ("MAX_ATTEMPTS", r"MAX_ATTEMPTS: RangeInclusive<i64> = 1\.\.=([\d_]+);"),
        ("PRIORITY_MAX", r"PRIORITY: RangeInclusive<i64> = -[\d_]+\.\.=([\d_]+);"),
        ("SPAN_MAX_S", r"SPAN_MAX_S: i64 = ([\d_]+);"),
    ],
)
def test_a_limit_of_the_decorators_is_that_of_the_engine(ours, theirs):
    found = re.search(theirs, LIMITS.read_text("utf-8"))
    assert getattr(task_options, ours) == int(found[1].replace("_", ""))
