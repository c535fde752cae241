"""Records are read by attribute and by name, and are as good as the dicts that they replaced."""

from dataclasses import FrozenInstanceError, dataclass

import pytest
from honker.records import Record


@dataclass(frozen=True, kw_only=True, eq=False)
class Point(Record):
    x: int
    y: int | None


POINT = Point(x=1, y=None)


def test_a_field_is_read_by_attribute_and_by_name():
    assert POINT.x == POINT["x"] == POINT.get("x") == 1
    assert POINT["y"] is None


def test_a_name_that_is_no_field_is_a_key_error():
    for name in ("z", "of", "keys", "_names"):
        with pytest.raises(KeyError):
            POINT[name]
        assert name not in POINT


def test_a_record_equals_a_mapping_with_its_items():
    assert {"x": 1, "y": None} == POINT == Point(x=1, y=None)
    assert Point(x=2, y=None) != POINT
    assert dict(POINT) == {"x": 1, "y": None}


def test_a_record_merges_like_a_dict():
    assert POINT | {"y": 2} == {"x": 1, "y": 2}
    assert {"x": 5, "z": 3} | POINT == {"x": 1, "y": None, "z": 3}


def test_a_record_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        POINT.x = 2
    with pytest.raises(TypeError):
        POINT["x"] = 2


def test_a_record_of_a_row_leaves_out_fields_of_a_newer_engine():
    assert Point.of({"x": 1, "y": None, "added_later": 3}) == POINT
