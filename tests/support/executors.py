"""The threads of an event loop, so few that a test knows what they are at."""

from concurrent.futures import ThreadPoolExecutor


class ThreadPoolOfOne(ThreadPoolExecutor):
    """An executor for ``loop.set_default_executor``: what is submitted runs one after the other."""

    def __init__(self):
        super().__init__(max_workers=1)

    @property
    def has_begun(self):
        """Whether what was submitted has been taken up."""
        return bool(self._threads) and self._work_queue.empty()
