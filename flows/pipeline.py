"""Keep instances while the next ones come: the disk and the line work at the same time.

For what an archive hands over and keeps itself: it may be told that an instance came before that is on the disk, because
whatever is not there in the end is asked for again. A receiver, to whom others trust their only copy, does not work this way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from flows.spool import Kept

AT_ONCE = 4


class Pipeline:
    """Runs what keeps an instance in threads, a few at a time. A context manager: at its end all is on the disk.

    Attributes
    ----------
    came
        What was kept, in the order it came.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self.came: list[Kept] = []
        self._at_once = at_once
        self._pool = ThreadPoolExecutor(at_once)
        self._running: deque[Future[Kept]] = deque()

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Wait for what is being written. What went wrong is raised, unless something else was before."""
        failure: BaseException | None = None
        while self._running:
            try:
                self.came.append(self._running.popleft().result())
            except BaseException as error:
                failure = failure or error
        self._pool.shutdown()
        if failure is not None and kind is None:
            raise failure

    def submit(self, keep: Callable[[], Kept]) -> None:
        """Have an instance kept; wait where many are being kept already.

        Raises
        ------
        Exception
            What went wrong with an earlier one.
        """
        while self._running and (len(self._running) >= self._at_once or self._running[0].done()):
            self.came.append(self._running.popleft().result())
        self._running.append(self._pool.submit(keep))
