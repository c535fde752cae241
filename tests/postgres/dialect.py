"""The SQL of the reference's examples, which is SQLite's, for PostgreSQL."""

import json
import re

# Tables of SQLite begin with this; here they are in the schema.
TABLE = re.compile(r"\b_honker_(\w+)")
PATH = re.compile(r"\s*->>?\s*'(\$[^']*)'\s*$")
EXTRACT = re.compile(r"^SELECT json_extract\((.*), '(\$[^']*)'\)\s*$", re.DOTALL)
REWRITTEN = [
    (re.compile(r"\bscheduler_tasks\b"), "schedules"),
    (re.compile(r"\bunixepoch\(\)"), "(honker._now() / 1000)"),
    (re.compile(r"^SELECT json_array_length\((.*)\)\s*$", re.DOTALL), r"SELECT json_array_length((\1)::json)"),
    (re.compile(r"^SELECT json_valid\((.*)\)\s*$", re.DOTALL), r"SELECT (\1)::json IS NOT NULL"),
    (re.compile(r"\bgroup_concat\((\w+)\)"), r"string_agg(\1::text, ',')"),
    (re.compile(r"FROM \((.*)\)\s*$", re.DOTALL), r"FROM (\1) AS part"),
    (
        re.compile(r"^SELECT group_concat\(value ->> '\$\.(\w+)'\) FROM json_each\((.*)\)\s*$", re.DOTALL),
        r"SELECT string_agg(value ->> '\1', ',') FROM json_array_elements((\2)::json)",
    ),
]


def translate(sql):
    """The statement, and the path in its JSON result whose value is asked for, or None."""
    sql = TABLE.sub(r"\1", sql).strip()
    path = None
    if extract := EXTRACT.match(sql):
        sql, path = f"SELECT {extract[1]}", extract[2]
    elif reach := PATH.search(sql):
        sql, path = sql[: reach.start()], reach[1]
    for pattern, replacement in REWRITTEN:
        sql = pattern.sub(replacement, sql)
    return sql, path


def value_at(text, path):
    """The value as SQLite's `->>` gives it: a number, a text, NULL, or the JSON of an array or object."""
    value = json.loads(text)
    for name, index in re.findall(r"\.(\w+)|\[(\d+)\]", path):
        try:
            value = value[name or int(index)]
        except (KeyError, IndexError):
            return None
    if isinstance(value, bool):
        return int(value)
    return json.dumps(value, separators=(",", ":")) if isinstance(value, dict | list) else value
