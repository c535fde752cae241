"""The pages: a module each, with its routes, its line of the navigation, and a template of the same name."""

from __future__ import annotations

from typing import Final

from honker.web.pages import (
    acting,
    dead,
    job,
    jobs,
    limits,
    locks,
    queue,
    queues,
    schedules,
    streams,
    throughput,
    workers,
    workflows,
)

#: The modules with a line in the navigation, in its order.
_MODULES: Final = (queues, jobs, dead, workers, schedules, workflows, streams, locks, limits, throughput)
#: The modules whose pages are reached from others.
_INNER: Final = (queue, job, acting)

NAVIGATION: Final = tuple(each.ENTRY for each in _MODULES)
ROUTES: Final = tuple(route for each in (*_MODULES, *_INNER) for route in each.ROUTES)
