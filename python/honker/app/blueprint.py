"""Tasks and queues that are declared before their app exists."""

from __future__ import annotations

from honker.app.declarations import Declarations
from honker.database import database_on, join
from honker.engine import Engine
from honker.engine.forwarding import ForwardingEngine
from honker.errors import InvalidArgumentError, InvalidCallError
from honker.task.registry import TaskRegistry


class Blueprint(Declarations):
    """Queues, streams and tasks of a module that does not know its app; `App.include` adds them to one.

    ``reports = honker.Blueprint()``, then ``@reports.task(queue="reports")``, and ``app.include(reports)`` elsewhere.

    Its tasks and queues can be used once it is included. A blueprint belongs to one app. If a function makes apps, let
    it make their blueprints too; in tests, point one app at many files with `App.using`.
    """

    def __init__(self) -> None:
        self._engine = _IncludedEngine()
        self._app: Declarations | None = None
        super().__init__(database_on(self._engine, TaskRegistry()))

    def __repr__(self) -> str:
        return "<honker.Blueprint>" if self._app is None else f"<honker.Blueprint of {self._app!r}>"

    def join(self, app: Declarations) -> None:
        """Become part of an app, with everything that is declared here before and after; see `App.include`.

        Raises:
            InvalidArgumentError: It is part of another app.
            QueueConflictError: One of its queues has other options there.
            TaskConflictError: A task of the app has the name of one of its tasks.
        """
        if self._app not in (None, app):
            raise InvalidArgumentError(f"the blueprint is part of {self._app!r}; make another one for {app!r}")
        if self._app is None:
            join(self.db, app.db)
            self._engine.follow(app.db.engine)
            self._app = app


class _IncludedEngine(ForwardingEngine[Engine]):
    """The engine of the app that includes a blueprint."""

    def follow(self, engine: Engine) -> None:
        self._engine = engine

    def _find(self) -> Engine:
        raise InvalidCallError("this blueprint is not part of an app yet; call app.include(blueprint) first")

    @property
    def path(self) -> str:
        return self.current.path
