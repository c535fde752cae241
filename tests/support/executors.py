"""An executor with a single thread, for tests that must control the threads of an event loop."""

from concurrent.futures import ThreadPoolExecutor


class ThreadPoolOfOne(ThreadPoolExecutor):
    """An executor for ``loop.set_default_executor`` that runs one call after the other."""

    def __init__(self):
        super().__init__(max_workers=1)

    @property
    def has_begun(self):
        """True if a submitted call has started."""
        return bool(self._threads) and self._work_queue.empty()
