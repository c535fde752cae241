"""Models of pydantic and msgspec, which write and check themselves.

Both libraries are looked up among the imported modules: a value of theirs exists only if the application has imported
them.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Literal, cast, get_args, get_origin

from honker.codec.classes import refuse_subclass
from honker.codec.converter import ANY_FORM, Converter, Mismatch, UnsupportedTypeError

_OBJECT = frozenset({"object"})


def model_converter(kind: type) -> Converter | None:
    """The converter of a model; None if the class is none."""
    pydantic: Any = sys.modules.get("pydantic")
    # While the library is being imported, it has no classes yet.
    base: Any = getattr(pydantic, "BaseModel", None)
    if base is not None and issubclass(kind, base):
        return PydanticModel(kind, pydantic)
    msgspec: Any = sys.modules.get("msgspec")
    base = getattr(msgspec, "Struct", None)
    if base is not None and issubclass(kind, base):
        return MsgspecStruct(kind, msgspec)
    return None


class PydanticModel(Converter):
    """Models of pydantic, written as by ``model_dump(mode="json")``."""

    def __init__(self, kind: Any, module: Any) -> None:
        self.name = kind.__name__
        is_root = bool(getattr(kind, "__pydantic_root_model__", False))
        self.forms = ANY_FORM if is_root else _OBJECT
        self._kind = kind
        self._dump_options, self._read_options = _alias_options(kind, module)
        by_alias = self._dump_options["by_alias"]
        fields: dict[str, Any] = kind.model_fields
        self.tags = {
            (field.alias or name) if by_alias else name: frozenset(get_args(field.annotation))
            for name, field in fields.items()
            if get_origin(field.annotation) is Literal
        }

    def encode(self, value: Any) -> Any:
        if type(value) is not self._kind:
            raise refuse_subclass(value, self._kind, self.name)
        try:
            return value.model_dump(mode="json", round_trip=True, **self._dump_options)
        except Exception as error:
            raise Mismatch(value, self.name, f"pydantic: {error}") from error

    def decode(self, value: Any) -> Any:
        try:
            # From text: in strict models, a date from Python must not be text, and one from JSON must be.
            return self._kind.model_validate_json(json.dumps(value), **self._read_options)
        except Exception as error:
            raise Mismatch(value, self.name, f"pydantic: {error}") from error


def _alias_options(kind: Any, module: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options for writing and reading: by alias, unless a field is read by another name than it is written.

    Raises:
        UnsupportedTypeError: It is, and this version of pydantic cannot read by the name of the field.
    """
    fields: dict[str, Any] = kind.model_fields
    differing = [
        name
        for name, field in fields.items()
        if (field.serialization_alias or name) != (field.validation_alias or name)
    ]
    if not differing:
        return {"by_alias": True}, {}
    version = tuple(int(part) for part in cast("str", module.VERSION).split(".")[:2])
    if version < (2, 11):
        raise UnsupportedTypeError(f"its field {differing[0]!r} has two aliases, which needs pydantic 2.11 or later")
    return {"by_alias": False}, {"by_alias": False, "by_name": True}


class MsgspecStruct(Converter):
    """Structs of msgspec, written as by ``msgspec.to_builtins``."""

    def __init__(self, kind: Any, module: Any) -> None:
        self.name = kind.__name__
        config = kind.__struct_config__
        self.forms = frozenset({"array"}) if config.array_like else _OBJECT
        if config.tag_field is not None:
            self.tags = {config.tag_field: frozenset({config.tag})}
        self._kind = kind
        self._module = module

    def encode(self, value: Any) -> Any:
        if type(value) is not self._kind:
            raise refuse_subclass(value, self._kind, self.name)
        try:
            plain = self._module.to_builtins(value, str_keys=True)
            # Structs do not check their fields when they are made.
            self._module.convert(plain, self._kind, str_keys=True)
        except Exception as error:
            raise Mismatch(value, self.name, f"msgspec: {error}") from error
        return plain

    def decode(self, value: Any) -> Any:
        try:
            return self._module.convert(value, self._kind, str_keys=True)
        except Exception as error:
            raise Mismatch(value, self.name, f"msgspec: {error}") from error
