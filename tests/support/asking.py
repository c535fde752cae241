"""Watching the questions that an object asks its engine."""


class _Watched:
    """An engine that reports each answer to one function of the contract; everything else is the engine's own."""

    def __init__(self, engine, function, note):
        self._engine = engine
        self._function = f"SELECT {function}("
        self._note = note

    def __getattr__(self, name):
        return getattr(self._engine, name)

    def ask(self, sql, *params, **options):
        answer = self._engine.ask(sql, *params, **options)
        return self._noted(sql, answer)

    async def aask(self, sql, *params, **options):
        answer = await self._engine.aask(sql, *params, **options)
        return self._noted(sql, answer)

    def _noted(self, sql, answer):
        if sql.startswith(self._function):
            self._note(answer)
        return answer


def watch_answers(asker, function, note):
    """Call `note` with each answer that `asker` gets to `function` from now on."""
    asker._engine = _Watched(asker._engine, function, note)
