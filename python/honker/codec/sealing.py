"""The text of a codec within a payload or result, and the name of the codec that wrote it."""

from __future__ import annotations

from typing import Any, Final, cast

from honker.codec.codec import Codec, JSONCodec
from honker.errors import InvalidPayloadError, PayloadMismatchError

#: The only key of a result that a codec wrote.
RESULT: Final = "__honker_encoded_result__"


def is_plain(codec: Codec | None) -> bool:
    """True if the codec leaves values as they are, in the payload itself."""
    return codec is None or type(codec) is JSONCodec


def written(codec: Codec, value: Any) -> str:
    """The text of a value.

    Raises:
        InvalidPayloadError: The codec cannot write it.
    """
    text: Any = codec.dumps(value)
    if not isinstance(text, str):
        raise InvalidPayloadError(f"dumps of codec {codec.name!r} returned {type(text).__name__}; it must return str")
    return text


def read(codec: Codec | None, name: str, text: str) -> Any:
    """The value of a text that the codec of that name wrote.

    Raises:
        PayloadMismatchError: The codec here is another, or it refuses the text.
    """
    if codec is None or codec.name != name:
        here = "json" if codec is None else codec.name
        raise PayloadMismatchError(
            f"it was written by the codec {name!r}, and the codec here is {here!r}; give producers and workers the same"
        )
    try:
        return codec.loads(text)
    except Exception as error:
        raise PayloadMismatchError(f"the codec {name!r} refuses it: {error}") from error


def seal_result(codec: Codec | None, job_id: int, value: Any) -> Any:
    """A result as it is stored: plain for the default codec."""
    if codec is None or is_plain(codec):
        return value
    return {RESULT: {"codec": codec.name, "body": written(codec, {"job_id": job_id, "result": value})}}


def open_result(codec: Codec | None, job_id: int, value: Any) -> Any:
    """The result of a job as it was before `seal_result`.

    Raises:
        PayloadMismatchError: The codec refuses it, or it is the result of another job.
    """
    sealed: Any = cast("dict[str, Any]", value).get(RESULT) if isinstance(value, dict) else None
    if not isinstance(sealed, dict):
        if accepts_plain(codec):
            return cast("Any", value)
        raise PayloadMismatchError(f"the result of job {job_id} was written without the codec {_name(codec)!r}")
    fields = cast("dict[str, Any]", sealed)
    found: Any = read(codec, str(fields.get("codec")), str(fields.get("body")))
    if not isinstance(found, dict) or cast("dict[str, Any]", found).get("job_id") != job_id:
        raise PayloadMismatchError(f"the result of job {job_id} is that of another job")
    return cast("dict[str, Any]", found).get("result")


def accepts_plain(codec: Codec | None) -> bool:
    """True if values that no codec wrote are accepted."""
    return is_plain(codec) or bool(getattr(codec, "accept_plain", False))


def _name(codec: Codec | None) -> str:
    return "json" if codec is None else codec.name
