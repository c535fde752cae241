"""The verbs for jobs: their names on buttons, and the states that they apply to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from honker.inspection import Verb


@dataclass(frozen=True)
class JobVerb:
    """A verb of the page.

    Attributes:
        verb: The verb of `Database.apply`.
        title: The text of its button.
        past: The verb after the fact.
        states: The states that it applies to.
        effect: Its effect, as the confirmation says it.
        is_dangerous: True if it cannot be undone.
    """

    verb: Verb
    title: str
    past: str
    states: tuple[str, ...]
    effect: str
    is_dangerous: bool = False


_VERBS: Final = (
    JobVerb("requeue", "Requeue", "requeued", ("dead",), "They wait for a worker again, with all their attempts."),
    JobVerb("run_now", "Run now", "made due", ("delayed",), "They are due at once."),
    JobVerb(
        "cancel",
        "Cancel",
        "cancelled",
        ("ready", "delayed", "blocked", "waiting", "running"),
        "Waiting jobs are removed; the workers of running ones are asked to end them.",
        is_dangerous=True,
    ),
    JobVerb("delete", "Discard", "discarded", ("dead", "done", "cancelled"), "They are deleted for good.", True),
)
BY_NAME: Final[dict[str, JobVerb]] = {each.verb: each for each in _VERBS}


def verbs_for(state: str | None) -> list[JobVerb]:
    """The verbs for jobs in a state; all of them for a list of all states."""
    return [each for each in _VERBS if state is None or state in each.states]
