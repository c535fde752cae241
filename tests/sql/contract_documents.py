"""JSON arguments made from the types of `reference.yaml`: documents that a type allows, and documents that break it.

`documents` yields (label, JSON text, True or False or UNDECIDED). Only the form is known here; a document that may be
refused for another reason, such as a number of elements, is UNDECIDED.
"""

import json

UNDECIDED = object()

PLAIN = {"integer": 1, "number": 1, "boolean": True, "text": "x", "any": {"a": [None]}}
OF_ANOTHER_TYPE = {"integer": "1", "number": "1", "boolean": "yes", "text": 1, "tuple": {}, "object": []}


def documents(types, parameter):
    """Documents for a JSON parameter."""
    yield "no JSON", "[1,", False
    yield "text after it", json.dumps(plain(types, parameter)) + " x", False
    yield "null as JSON", "null", types.element_of(parameter["type"]) is None and UNDECIDED
    if types.element_of(parameter["type"]):
        yield from arrays(types, parameter)
        return
    for label, broken in broken_values(types, parameter | {"nullable": True}):
        yield label, json.dumps(broken), False
    for label, varied in allowed_values(types, parameter | {"nullable": False}):
        yield label, json.dumps(varied), True


def arrays(types, parameter):
    element = types.element(parameter["type"])
    yield "no array", "{}", False
    yield "an empty array", "[]", UNDECIDED
    yield "one element", json.dumps([plain(types, element)]), True
    for label, broken in broken_values(types, element):
        yield label, json.dumps([broken]), False
    for label, varied in allowed_values(types, element):
        yield label, json.dumps([varied]), True
    if "max_items" in parameter:
        many = [plain(types, element)] * (parameter["max_items"] + 1)
        yield "too many elements", json.dumps(many), False
        yield "the most elements", json.dumps(many[1:]), UNDECIDED


def plain(types, entry):
    """An ordinary value of an entry's type, with every field that must be there."""
    if types.element_of(entry["type"]):
        return []
    base = types.base_of(entry["type"])
    if base == "tuple":
        return [plain(types, item) for item in types.types[entry["type"]]["items"]]
    if base == "object":
        fields = types.types[entry["type"]]["fields"]
        return {name: plain(types, field) for name, field in fields.items() if not field.get("optional", False)}
    limits = types.narrowed(entry)
    return limits["one_of"][0] if "one_of" in limits else PLAIN[base]


def broken_values(types, entry):
    """Every way to break a value of an entry's type once, with a label."""
    base = types.base_of(entry["type"])
    if base in OF_ANOTHER_TYPE:
        yield "another type", OF_ANOTHER_TYPE[base]
    if base != "any" and not entry.get("nullable", False):
        yield "null", None
    if base in {"integer", "number"}:
        yield from values_out_of_range(types.narrowed(entry), base)
    if "one_of" in types.narrowed(entry):
        yield "none of the list", "telepathy"
    if base == "tuple":
        yield from broken_tuples(types, entry)
    if base == "object":
        yield from broken_objects(types, entry)


def values_out_of_range(limits, base):
    step = 1 if base == "integer" else 0.001
    if base == "integer":
        yield "a fraction", 1.5
    if "min" in limits:
        yield "below the range", limits["min"] - step
    if "max" in limits:
        yield "above the range", limits["max"] + step


def broken_tuples(types, entry):
    whole = plain(types, entry)
    yield "one item less", whole[:-1]
    yield "one item more", [*whole, 1]
    for index, item in enumerate(types.types[entry["type"]]["items"]):
        for label, broken in broken_values(types, item):
            yield f"{item['name']}: {label}", [*whole[:index], broken, *whole[index + 1 :]]


def broken_objects(types, entry):
    whole = plain(types, entry)
    yield "an unknown field", whole | {"unknown": 1}
    for name, field in types.types[entry["type"]]["fields"].items():
        if not field.get("optional", False):
            yield f"{name}: missing", {key: value for key, value in whole.items() if key != name}
        for label, broken in broken_values(types, field):
            yield f"{name}: {label}", whole | {name: broken}


def allowed_values(types, entry):
    """Every way to vary a value of an entry's type that the type allows, with a label."""
    base = types.base_of(entry["type"])
    limits = types.narrowed(entry)
    if entry.get("nullable", False):
        yield "null", None
    if base in {"integer", "number"}:
        yield from ((end, limits[end]) for end in ("min", "max") if end in limits)
        yield "a whole number with a decimal point", 1.0
    yield from ((each, each) for each in limits.get("one_of", ()))
    if base == "any":
        yield from (("null", None), ("text", "x"), ("an array", [1]), ("a number", 0.5))
    if base == "tuple":
        yield from allowed_tuples(types, entry)
    if base == "object":
        yield from allowed_objects(types, entry)


def allowed_tuples(types, entry):
    whole = plain(types, entry)
    for index, item in enumerate(types.types[entry["type"]]["items"]):
        for label, value in allowed_values(types, item):
            yield f"{item['name']}: {label}", [*whole[:index], value, *whole[index + 1 :]]


def needed(types, fields, field):
    """Values of the fields without which this one is refused."""
    if "needs" not in field:
        return {}
    name = field["needs"]
    value = [plain(types, types.element(fields[name]["type"]))] if types.element_of(fields[name]["type"]) else None
    return needed(types, fields, fields[name]) | {name: value or plain(types, fields[name])}


def allowed_objects(types, entry):
    fields = types.types[entry["type"]]["fields"]
    for name, field in fields.items():
        whole = plain(types, entry) | needed(types, fields, field)
        yield name, whole | {name: plain(types, field)}
        for label, value in allowed_values(types, field):
            yield f"{name}: {label}", whole | {name: value}
