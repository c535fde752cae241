"""Random expressions of schedules, accepted and refused ones, and instants for them."""

from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "America/Sao_Paulo",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "Asia/Kathmandu",
    "Antarctica/Troll",
    "Africa/Freetown",
    "CET",
    "EST5EDT",
    "Etc/GMT+5",
]
DAY_S = 86_400

NICKNAMES = ["@hourly", "@daily", "@MIDNIGHT", "@weekly", "@monthly", "@yearly", "@annually", "@nope"]
INTERVALS = ["@every 5s", "@every 3m", "@every  2h", "@every1d", "@every 0s", "@every 1m30s", "@every", "@EVERY 5s"]
REFUSED = ["", "* * * *", "* * * * * * *", "x"]
ODD_ITEMS = ["*", "", "5/2", "1-2-3", "x", "*/0", "1-", "-1", "?", "*-5", "MON", "JAN", "1/", "+", "99999999999", "070"]
ODD_DAYS = ["L", "lw", "LW", "?", "0W", "31W", "15w", "1W", "+5W", "L/2", "32W"]
ODD_WEEKDAYS = ["?", "5L", "SUNL", "5#L", "1-5#2", "1-5L", "L", "7#1", "#2", "5#6", "FRI-SUN", "SAT-SUN/2", "7L", "6-7"]


def words(lowest, highest, names):
    numbers = st.integers(lowest, highest)
    spelled = numbers.map(str)
    if names:
        spelled = spelled | st.sampled_from([*names, *map(str.lower, names)])
    return spelled


def items(lowest, highest, names, odd):
    word = words(lowest, highest, names)
    span = st.tuples(st.integers(lowest, highest), st.integers(lowest, highest)).map(sorted).map("{0[0]}-{0[1]}".format)
    step = st.sampled_from([1, 2, 3, 5, 7, 15, 30, 60, 61, 70_000])
    stepped = st.tuples(st.just("*") | span, step).map("{0[0]}/{0[1]}".format)
    return word | span | stepped | st.tuples(word, word).map("-".join) | st.sampled_from(odd)


def fields(lowest, highest, names=(), odd=ODD_ITEMS):
    several = st.lists(items(lowest, highest, names, odd), min_size=1, max_size=3).map(",".join)
    return st.just("*") | st.just("*") | several


def lines():
    seconds = st.just([]) | fields(0, 59).map(lambda field: [field])
    weekdays = st.tuples(st.sampled_from(["", "", "", "+"]), fields(0, 7, WEEKDAYS, ODD_WEEKDAYS + ODD_ITEMS))
    rest = st.tuples(
        fields(0, 59), fields(0, 23), fields(1, 31, odd=ODD_DAYS), fields(1, 12, MONTHS), weekdays.map("".join)
    )
    return st.tuples(seconds, rest).map(lambda parts: " ".join([*parts[0], *parts[1]]))


def expressions():
    return lines() | lines() | lines() | st.sampled_from(NICKNAMES + INTERVALS + REFUSED)


@cache
def changes(zone):
    """Midnights in UTC, of the years 1990 to 2030, after a change of a zone's clock."""
    midnights = range(int(datetime(1990, 1, 1, tzinfo=UTC).timestamp()), 1_900_000_000, DAY_S)
    offsets = [(midnight, datetime.fromtimestamp(midnight, ZoneInfo(zone)).utcoffset()) for midnight in midnights]
    return [later[0] for earlier, later in pairwise(offsets) if earlier[1] != later[1]]


def instant_of_change(zone, day):
    """The second at which the clock of a zone changes, in the day before an instant of `changes`."""
    low, high = day - DAY_S, day
    offset = datetime.fromtimestamp(low, ZoneInfo(zone)).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, ZoneInfo(zone)).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high


def places():
    """A zone, and an instant: often within two days of a change of the zone's clock."""
    anywhen = st.integers(0, 2_000_000_000) | st.integers(-3_000_000_000, 9_000_000_000)

    def near(zone):
        if not changes(zone):
            return anywhen
        close = st.tuples(st.sampled_from(changes(zone)), st.integers(-2 * DAY_S, 2 * DAY_S)).map(sum)
        return close | close | anywhen

    return st.sampled_from(ZONES).flatmap(lambda zone: st.tuples(st.just(zone), near(zone)))
