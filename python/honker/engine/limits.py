"""The ranges against which the engine checks arguments."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any, Final, Self, TypeAlias, cast

#: The least and the greatest value.
Range: TypeAlias = "tuple[int, int]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The result of ``honker_limits``. The unit is at the end of each name; a range has both ends."""

    busy_timeout_ms: Range
    claim_batch: Range
    claim_max_bytes: int
    concurrency: Range
    count_limit: Range
    count_limit_default: int
    enqueue_batch_max: int
    expression_max_bytes: int
    instant_s: Range
    lease_max_s: int
    list_batch: Range
    max_attempts: Range
    max_attempts_default: int
    max_keep: Range
    name_max_bytes: int
    priority: Range
    rate_limit: Range
    read_max_bytes: int
    settle_batch_max: int
    span_max_s: int
    text_max_bytes: int
    tokens_max: float
    wait_max_ms: int

    @classmethod
    def of(cls, text: str) -> Self:
        """The limits in an answer of ``honker_limits``; names that this version does not know are left out."""
        found: dict[str, Any] = json.loads(text)
        names = {field.name for field in fields(cls)}
        return cls(**{name: _value(value) for name, value in found.items() if name in names})


def _value(value: Any) -> Any:
    return tuple(cast("list[int]", value)) if isinstance(value, list) else value


#: The limits of the engine that belongs to this package, for checks where no engine is at hand, such as those of
#: decorators. A test compares them with the engine.
LIMITS: Final = Limits(
    busy_timeout_ms=(0, 3_600_000),
    claim_batch=(0, 10_000),
    claim_max_bytes=64 * 1024 * 1024,
    concurrency=(1, 1_000),
    count_limit=(1, 1_000_000),
    count_limit_default=10_000,
    enqueue_batch_max=100_000,
    expression_max_bytes=255,
    instant_s=(-62_135_596_800, 253_402_300_799),
    lease_max_s=31_536_000,
    list_batch=(0, 10_000),
    max_attempts=(1, 1_000_000),
    max_attempts_default=3,
    max_keep=(0, 10_000_000),
    name_max_bytes=255,
    priority=(-(2**53) + 1, 2**53 - 1),
    rate_limit=(1, 1_000_000),
    read_max_bytes=16_777_216,
    settle_batch_max=10_000,
    span_max_s=3_155_760_000,
    text_max_bytes=100 * 1024 * 1024,
    tokens_max=1e9,
    wait_max_ms=86_400_000,
)
