"""The accepted SQL parameters, durations and points in time."""

import math
from collections import OrderedDict, UserDict, deque
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum

import pytest
from honker import HonkerError, InvalidArgumentError, UnsupportedParameterError
from honker.arguments import optional_instant, optional_seconds, seconds, sql_parameters, whole

INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)


class Level(IntEnum):
    HIGH = 9


# ------------------------------------------------------------------------------------------------------- SQL parameters


@pytest.mark.parametrize(
    "params",
    [[1, "a"], (1, "a"), deque([1, "a"]), iter([1, "a"]), (value for value in (1, "a"))],
    ids=["list", "tuple", "deque", "iterator", "generator"],
)
def test_parameters_are_any_iterable(params):
    assert sql_parameters(params) == (1, "a")


def test_no_parameters_are_an_empty_sequence():
    assert sql_parameters(None) == ()
    assert sql_parameters([]) == ()


@pytest.mark.parametrize(
    "params",
    [{"a": 1}, OrderedDict(a=1), UserDict(a=1), "ab", b"ab", 5, 2.5, object()],
    ids=["dict", "OrderedDict", "UserDict", "str", "bytes", "int", "float", "object"],
)
def test_parameters_that_are_no_positional_sequence_are_a_type_error(params):
    with pytest.raises(UnsupportedParameterError, match="positional sequence") as caught:
        sql_parameters(params)
    assert isinstance(caught.value, TypeError)
    assert type(params).__name__ in str(caught.value)


@pytest.mark.parametrize(
    "value", [None, True, False, 0, -1, INT64_MAX, INT64_MIN, 2.5, "", "ä", b"", b"\0", Level.HIGH]
)
def test_a_parameter_may_be_what_sql_can_hold(value):
    assert sql_parameters([value]) == (value,)


@pytest.mark.parametrize(
    "value",
    [bytearray(b"a"), [1], {"a": 1}, datetime.now(UTC), date.today(), Decimal("1.5"), object(), 1j],
    ids=lambda value: type(value).__name__,
)
def test_a_parameter_of_another_type_is_a_type_error_that_names_it(value):
    with pytest.raises(UnsupportedParameterError, match="unsupported SQL parameter type: ") as caught:
        sql_parameters([1, value])
    assert type(value).__name__ in str(caught.value)


@pytest.mark.parametrize("value", [INT64_MAX + 1, INT64_MIN - 1, 10**40])
def test_an_integer_beyond_64_bits_is_refused_instead_of_rounded(value):
    with pytest.raises(UnsupportedParameterError, match="64 bits"):
        sql_parameters([value])


# ---------------------------------------------------------------------------------------------------------------- spans


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0),
        (60, 60),
        (-1, -1),
        (0.05, 0.05),
        (Decimal("0.25"), 0.25),
        (timedelta(minutes=1), 60.0),
        (timedelta(milliseconds=50), 0.05),
        (INT64_MAX, INT64_MAX),
        (math.inf, math.inf),
    ],
)
def test_a_span_is_a_number_or_a_timedelta(value, expected):
    assert seconds(value, "delay") == expected
    assert type(seconds(value, "delay")) is type(expected)


@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        "60",
        b"60",
        [60],
        math.nan,
        Decimal("NaN"),
        Decimal("sNaN"),
        1j,
        INT64_MAX + 1,
        INT64_MIN - 1,
        datetime(2026, 1, 1, tzinfo=UTC),
    ],
    ids=repr,
)
def test_a_span_of_another_kind_is_refused_by_name(value):
    with pytest.raises(InvalidArgumentError, match="delay") as caught:
        seconds(value, "delay")
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, HonkerError)


def test_no_span_and_no_instant_stay_none():
    assert optional_seconds(None, "delay") is None
    assert optional_instant(None, "run_at") is None
    assert optional_seconds(5, "delay") == 5


# ------------------------------------------------------------------------------------------------------------- instants


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1_800_000_000, 1_800_000_000),
        (1_800_000_000.25, 1_800_000_000.25),
        (Decimal("1800000000.5"), 1_800_000_000.5),
        (datetime(2027, 1, 15, 8, tzinfo=UTC), 1_800_000_000.0),
        (datetime(2027, 1, 15, 10, tzinfo=timezone(timedelta(hours=2))), 1_800_000_000.0),
        (datetime(2027, 1, 15, 8, 0, 0, 250_000, tzinfo=UTC), 1_800_000_000.25),
    ],
)
def test_an_instant_is_unix_seconds_or_a_datetime(value, expected):
    assert optional_instant(value, "run_at") == expected


def test_a_datetime_without_a_zone_is_local():
    value = datetime(2027, 1, 15, 8)
    assert optional_instant(value, "run_at") == value.astimezone().timestamp()


@pytest.mark.parametrize(
    "value",
    [True, "tomorrow", "2027-01-15", date(2027, 1, 15), timedelta(seconds=1), math.nan, INT64_MAX + 1, object()],
    ids=lambda value: type(value).__name__,
)
def test_an_instant_of_another_kind_is_refused_by_name(value):
    with pytest.raises(InvalidArgumentError, match="run_at"):
        optional_instant(value, "run_at")


@pytest.mark.parametrize("value", [datetime.min, datetime.max], ids=["year 1", "year 9999"])
def test_a_datetime_that_has_no_local_time_is_refused_by_name_or_accepted(value):
    try:
        assert isinstance(optional_instant(value, "run_at"), float)
    except InvalidArgumentError as error:
        assert "run_at" in str(error)  # noqa: PT017 - either is right, only a bare error of the standard library is not


# -------------------------------------------------------------------------------------------------------- whole numbers


@pytest.mark.parametrize("value", [0, 3, -3, 3.0, -0.0, Level.HIGH, 2.0**53, -(2.0**53), INT64_MAX, -INT64_MAX])
def test_a_whole_number_may_be_a_float_without_a_fraction(value):
    accepted = whole(value, "n")
    assert accepted == value
    assert type(accepted) is int


@pytest.mark.parametrize(
    "value", [1.5, 2.0**54, math.inf, math.nan, True, "3", None, Decimal(3), 2**63, b"1"], ids=repr
)
def test_another_value_is_no_whole_number(value):
    with pytest.raises(InvalidArgumentError, match=r"n is .*whole number"):
        whole(value, "n")
