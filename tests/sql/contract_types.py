"""The types of `reference.yaml`: which values belong to them.

An entry is anything with a `type`: a parameter, a result or a field. It may narrow its type and may be `nullable`.
"""

import json
import re

ARRAY = re.compile(r"array<(\w+)( or null)?>")
IN_JSON = {"any", "object", "tuple"}


class Types:
    """The `types` of a reference."""

    def __init__(self, types):
        self.types = types

    def element_of(self, name):
        """The type of an array's elements, or None for what is no array."""
        match = ARRAY.fullmatch(name)
        return match and match[1]

    def element(self, name):
        """An array's elements as an entry."""
        match = ARRAY.fullmatch(name)
        return {"type": match[1], "nullable": match[2] is not None}

    def is_known(self, name):
        return (self.element_of(name) or name) in self.types

    def base_of(self, name):
        return "array" if self.element_of(name) else self.types[name]["base"]

    def is_json(self, name):
        return self.base_of(name) in IN_JSON | {"array"}

    def narrowed(self, entry):
        """The type of an entry with the limits of the entry."""
        return self.types.get(entry["type"], {}) | entry

    def mismatches_of_result(self, value, result):
        """The problems of a value that SQL returned; none if it belongs to the declared result."""
        if "absent" in result and value == result["absent"] and type(value) is type(result["absent"]):
            return
        if self.is_json(result["type"]):
            if not isinstance(value, str):
                yield f"{value!r} is no JSON text"
                return
            value = json.loads(value)
        elif self.base_of(result["type"]) == "boolean":
            if type(value) is not int or value not in {0, 1}:
                yield f"{value!r} is no boolean; SQL booleans are 0 and 1"
            return
        yield from self.mismatches(value, {"type": result["type"]}, "result")

    def mismatches(self, value, entry, where):
        """The problems of a JSON value; none if it belongs to the entry's type."""
        if value is None:
            if not entry.get("nullable", False) and self.base_of(entry["type"]) != "any":
                yield f"{where} is null"
            return
        check = getattr(self, f"_mismatches_of_{self.base_of(entry['type'])}")
        yield from check(value, entry, where)

    def _mismatches_of_any(self, value, entry, where):
        return ()

    def _mismatches_of_boolean(self, value, entry, where):
        if not isinstance(value, bool):
            yield f"{where} is {value!r} and no boolean"

    def _mismatches_of_integer(self, value, entry, where):
        if type(value) is not int:
            yield f"{where} is {value!r} and no integer"
        elif not is_in_range(value, self.narrowed(entry)):
            yield f"{where} is {value} and out of range"

    def _mismatches_of_number(self, value, entry, where):
        if type(value) not in {int, float}:
            yield f"{where} is {value!r} and no number"
        elif not is_in_range(value, self.narrowed(entry)):
            yield f"{where} is {value} and out of range"

    def _mismatches_of_text(self, value, entry, where):
        if not isinstance(value, str):
            yield f"{where} is {value!r} and no text"
        elif not is_text_allowed(value, self.narrowed(entry)):
            yield f"{where} is {value!r}, which the type does not allow"

    def _mismatches_of_array(self, value, entry, where):
        if not isinstance(value, list):
            yield f"{where} is {value!r} and no array"
            return
        element = self.element(entry["type"])
        for index, each in enumerate(value):
            yield from self.mismatches(each, element, f"{where}[{index}]")

    def _mismatches_of_tuple(self, value, entry, where):
        items = self.types[entry["type"]]["items"]
        if not isinstance(value, list) or len(value) != len(items):
            yield f"{where} is {value!r} and no array of {len(items)}"
            return
        for each, item in zip(value, items, strict=True):
            yield from self.mismatches(each, item, f"{where}.{item['name']}")

    def _mismatches_of_object(self, value, entry, where):
        if not isinstance(value, dict):
            yield f"{where} is {value!r} and no object"
            return
        fields = self.types[entry["type"]]["fields"]
        for name in value.keys() - fields.keys():
            yield f"{where}.{name} is no field of {entry['type']}"
        for name, field in fields.items():
            if name in value:
                yield from self.mismatches(value[name], field, f"{where}.{name}")
            elif not field.get("optional", False):
                yield f"{where}.{name} is missing"

    def fields_seen(self, value, name):
        """Every field of an object type in a JSON value, as (type, field, value)."""
        if element := self.element_of(name):
            for each in value:
                yield from self.fields_seen(each, element)
        elif self.base_of(name) == "object":
            for field, each in value.items():
                yield name, field, each
                if each is not None:
                    yield from self.fields_seen(each, self.types[name]["fields"][field]["type"])

    def objects_within(self, name):
        """The object types that a value of a type holds, itself included."""
        name = self.element_of(name) or name
        if self.base_of(name) == "object":
            yield name
            for field in self.types[name]["fields"].values():
                yield from self.objects_within(field["type"])


def is_in_range(value, limits):
    low, high = limits.get("min", value), limits.get("max", value)
    return low <= value <= high and value > limits.get("above", value - 1)


def is_text_allowed(value, limits):
    if "one_of" in limits:
        return value in limits["one_of"]
    size = len(value.encode())
    return limits.get("min_bytes", 0) <= size <= limits.get("max_bytes", size)
