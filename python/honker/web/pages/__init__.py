"""The pages: a module each, with its routes, its line of the navigation, and a template of the same name."""

from __future__ import annotations

from typing import Final

from honker.web.pages import limits, locks, queues, schedules, streams, throughput, workers, workflows

#: The modules in the order of the navigation.
_MODULES: Final = (queues, workers, schedules, workflows, streams, locks, limits, throughput)

NAVIGATION: Final = tuple(each.ENTRY for each in _MODULES)
ROUTES: Final = tuple(route for each in _MODULES for route in each.ROUTES)
