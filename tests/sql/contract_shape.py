"""The form of `reference.yaml`. Each problem names the entry, the key and the allowed form."""

import re
from collections import Counter

from .contract_types import Types

ROOT_KEYS = {"format", "conventions", "types", "receivers", "errors", "error_sets", "functions"}
LIMITS = {
    "integer": {"min", "max", "above", "unit", "limit"},
    "number": {"min", "max", "above", "unit", "limit"},
    "text": {"min_bytes", "max_bytes", "one_of", "limit"},
    "boolean": set(),
    "any": set(),
    "array": {"max_items", "max_bytes"},
}
FUNCTION_KEYS = {
    "since", "engines", "methods", "summary", "parameters", "arities", "result", "errors", "effect", "write_lock",
    "cost", "examples",
}  # fmt: skip
STEP_KEYS = ({"sql"}, {"sql", "gives"}, {"sql", "json"}, {"sql", "fails"}, {"later"})
WRITE_LOCKS = {
    "read": {"never"},
    "outside": {"never"},
    "statement": {"always", "when_needed"},
    "transition": {"always", "when_needed"},
}
ENGINES = (["sqlite"], ["sqlite", "postgres"])
VERSION = re.compile(r"\d+\.\d+\.\d+")
SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def problems(reference):
    """Every problem of a reference as a sentence."""
    missing = list(key_problems("reference.yaml", reference, ROOT_KEYS))
    if missing:
        return missing
    shape = Shape(reference)
    found = [*shape.types_problems(), *shape.receivers_problems(), *shape.errors_problems()]
    if found:  # everything below refers to these
        return found
    for name, function in reference["functions"].items():
        found += shape.function_problems(f"functions.{name}", name, function)
    return found + list(method_name_problems(reference["functions"]))


def key_problems(where, entry, required, optional=frozenset()):
    if not isinstance(entry, dict):
        yield f"{where} is {entry!r}; a mapping is required"
        return
    for key in sorted(required - entry.keys()):
        yield f"{where} has no `{key}`"
    for key in sorted(entry.keys() - required - optional):
        yield f"{where} has a key `{key}`; allowed are {', '.join(sorted(required | optional))}"


def method_name_problems(functions):
    names = Counter(
        (method.get("receiver"), method.get("name"))
        for function in functions.values()
        if isinstance(function, dict)
        for method in function.get("methods", [])
    )
    for (receiver, name), count in names.items():
        if count > 1:
            yield f"the method {receiver}.{name} belongs to {count} functions"


class Shape:
    """The checks that need the types, the receivers and the errors of the same reference."""

    def __init__(self, reference):
        self.reference = reference
        self.types = Types(reference["types"])

    # ----------------------------------------------------------------------------------------------- types, receivers

    def types_problems(self):
        for name, described in self.reference["types"].items():
            yield from self.type_problems(f"types.{name}", described)

    def type_problems(self, where, described):
        base = described.get("base")
        parts = {"object": "fields", "tuple": "items"}
        if base in parts:
            yield from key_problems(where, described, {"base", parts[base]}, {"about"})
            for label, field in self.parts_of(described):
                yield from self.entry_problems(f"{where}.{label}", field, {"optional", "needs"})
                if field.get("needs", label) not in described.get("fields", {label: field}):
                    yield f"{where}.{label} needs {field['needs']}, which is no field beside it"
        elif base in LIMITS.keys() - {"array"}:
            yield from key_problems(where, described, {"base"}, LIMITS[base] | {"about"})
        else:
            yield f"{where} has the base {base!r}; allowed are {', '.join([*sorted(LIMITS), *parts])}"

    def parts_of(self, described):
        if "fields" in described:
            yield from described["fields"].items()
        for item in described.get("items", ()):
            yield item.get("name"), {key: each for key, each in item.items() if key != "name"}

    def receivers_problems(self):
        for name, receiver in self.reference["receivers"].items():
            where = f"receivers.{name}"
            own = "type" if "type" in receiver else "fields"
            yield from key_problems(where, receiver, {"about", own}, {"made_by"})
            if "made_by" in receiver and receiver["made_by"].partition(".")[0] not in self.reference["receivers"]:
                yield f"{where} is made by {receiver['made_by']}; there is no such receiver"
            for field, entry in self.fields_of(name).items():
                if own == "fields":
                    yield from self.entry_problems(f"{where}.{field}", entry, {"default"})

    def fields_within_reach(self, receiver):
        """The fields of a receiver, and as `maker.field` those of the receiver that made it."""
        maker = self.reference["receivers"][receiver].get("made_by", "").partition(".")[0]
        of_maker = self.fields_of(maker) if maker else {}
        return self.fields_of(receiver) | {f"{maker}.{field}": entry for field, entry in of_maker.items()}

    def fields_of(self, receiver):
        described = self.reference["receivers"][receiver]
        return self.reference["types"][described["type"]]["fields"] if "type" in described else described["fields"]

    def errors_problems(self):
        for code, entry in self.reference["errors"].items():
            yield from key_problems(f"errors.{code}", entry, {"meaning", "action", "retryable", "sqlite_code"})
        for name, codes in self.reference["error_sets"].items():
            for code in codes:
                if code not in self.reference["errors"]:
                    yield f"error_sets.{name} has {code}, which `errors` lacks"

    def entry_problems(self, where, entry, optional):
        """The problems of anything with a type: its keys, its limits and its default."""
        name = entry.get("type") if isinstance(entry, dict) else None
        if name is None:
            yield f"{where} has no `type`"
            return
        if not self.types.is_known(name):
            yield f"{where} has the type {name}; `types` lacks {self.types.element_of(name) or name}"
            return
        limits = LIMITS.get(self.types.base_of(name), set())
        yield from key_problems(where, entry, {"type"}, limits | {"nullable", "about"} | optional)
        if "default" in entry:
            for problem in self.types.mismatches(entry["default"], entry, "default"):
                yield f"{where}: {problem}; a default belongs to its type"

    # ------------------------------------------------------------------------------------------------------ functions

    def function_problems(self, where, name, function):
        found = list(key_problems(where, function, FUNCTION_KEYS, {"about", "overloads"}))
        found = found or list(self.parameters_problems(where, function))
        if found:  # the rest refers to these
            return found
        return [
            *self.header_problems(where, function),
            *self.result_problems(where, function["result"]),
            *self.methods_problems(where, function),
            *self.examples_problems(where, name, function["examples"]),
        ]

    def header_problems(self, where, function):
        if not VERSION.fullmatch(str(function["since"])):
            yield f"{where} is since {function['since']}; a version such as 0.1.0 is required"
        if function["engines"] not in ENGINES:
            yield f"{where} has the engines {function['engines']}; allowed are {' and '.join(map(str, ENGINES))}"
        yield from self.effect_problems(where, function)
        for key in ("summary", "cost", "about"):
            if not isinstance(function.get(key, "."), str):
                yield f"{where}.{key} is no text"
        if not str(function["summary"]).strip().endswith("."):
            yield f"{where}.summary does not end with a full stop"
        known = self.reference["errors"].keys() | self.reference["error_sets"].keys()
        for code in function["errors"]:
            if code not in known:
                yield f"{where} has the error {code}; it is neither in `errors` nor in `error_sets`"

    def effect_problems(self, where, function):
        if function["effect"] not in WRITE_LOCKS:
            yield f"{where} has the effect {function['effect']}; allowed are {', '.join(WRITE_LOCKS)}"
        elif function["write_lock"] not in WRITE_LOCKS[function["effect"]]:
            yield f"{where} has the effect {function['effect']} and the write_lock {function['write_lock']}"
        if function["effect"] == "outside" and function["engines"] != ["sqlite"]:
            yield f"{where} acts outside the database, which only the engine sqlite can"

    def parameters_problems(self, where, function):
        parameters, arities = function["parameters"], function["arities"]
        flags = [parameter.get("optional", False) for parameter in parameters]
        if flags != sorted(flags):
            yield f"{where} has a required parameter after an optional one"
        if arities != sorted(set(arities)) or (arities[0], arities[-1]) != (flags.count(False), len(parameters)):
            yield f"{where} has the arities {arities}; its parameters need {flags.count(False)} to {len(parameters)}"
        yield from self.names_problems(where, parameters)
        for overload in function.get("overloads", []):
            yield from self.names_problems(f"{where}.overloads", overload)
            if len(overload) in arities:
                yield f"{where} has an overload with {len(overload)} arguments, as in `arities`"

    def names_problems(self, where, parameters):
        names = [parameter.get("name") for parameter in parameters]
        if len(set(names)) < len(names):
            yield f"{where} has two parameters with one name"
        for parameter in parameters:
            within = f"{where}.{parameter.get('name')}"
            if not SNAKE_CASE.fullmatch(str(parameter.get("name"))):
                yield f"{within} is no name in snake_case"
            yield from self.parameter_problems(within, names, parameter)

    def parameter_problems(self, where, names, parameter):
        entry = {key: each for key, each in parameter.items() if key != "name"}
        if isinstance(entry.get("max"), str):
            if entry["max"] not in names:
                yield f"{where} has the maximum {entry['max']}, which is no parameter"
            del entry["max"]
        yield from self.entry_problems(where, entry, {"default", "optional", "each", "as"})
        if not SNAKE_CASE.fullmatch(str(entry.get("as", "as"))):
            yield f"{where} is {entry['as']} in bindings, which is no name in snake_case"
        if entry.get("optional", False) and "default" not in entry:
            yield f"{where} is optional and has no `default`"

    def result_problems(self, where, result):
        yield from key_problems(f"{where}.result", result, {"type"}, {"about", "absent"})
        if not self.types.is_known(result.get("type", "")):
            yield f"{where}.result has the type {result.get('type')}, which `types` lacks"

    def methods_problems(self, where, function):
        parameters = {parameter["name"]: parameter for parameter in function["parameters"]}
        for method in function["methods"]:
            yield from key_problems(f"{where}.methods", method, {"receiver", "name"}, {"binds", "defaults", "with"})
            label = f"{where}: {method.get('receiver')}.{method.get('name')}"
            if method.get("receiver") not in self.reference["receivers"]:
                yield f"{label}: `receivers` lacks {method.get('receiver')}"
                continue
            if not SNAKE_CASE.fullmatch(str(method.get("name"))):
                yield f"{label} is no name in snake_case"
            yield from self.method_problems(label, method, parameters)

    def method_problems(self, label, method, parameters):
        fields = self.fields_within_reach(method["receiver"])
        for parameter, field in [*method.get("binds", {}).items(), *method.get("defaults", {}).items()]:
            if parameter not in parameters:
                yield f"{label} binds {parameter}, which is no parameter"
            elif field not in fields:
                yield f"{label} takes {parameter} from {field}, which is no field of {method['receiver']}"
            elif self.types.base_of(fields[field]["type"]) != self.types.base_of(parameters[parameter]["type"]):
                yield f"{label} takes {parameter} from {field}, which has another type"
        for parameter, constant in method.get("with", {}).items():
            if parameter not in parameters:
                yield f"{label} passes {parameter}, which is no parameter"
            else:
                yield from self.types.mismatches(constant, parameters[parameter], f"{label} passes {parameter}: it")

    def examples_problems(self, where, name, examples):
        steps = [step for each in examples for step in each]
        for step in steps:
            if not any(step.keys() == keys for keys in STEP_KEYS):
                yield f"{where} has an example step with the keys {', '.join(step)}"
            elif step.get("fails", "HONKER_INTERNAL") not in self.reference["errors"]:
                yield f"{where} has an example that fails with {step['fails']}, which `errors` lacks"
        if not any(f"{name}(" in step.get("sql", "") for step in steps):
            yield f"{where} has no example that calls it"
