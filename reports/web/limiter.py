"""Slow down whoever guesses passwords: after some failures a login, and an address, has to wait."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from threading import Lock


class Limiter:
    """Counts failures by key within a sliding window.

    Parameters
    ----------
    most
        Failures that are let pass.
    window_s
        A failure is forgotten after so long.

    >>> clock = iter([0, 1, 2, 3, 700]).__next__
    >>> limiter = Limiter(2, 600, clock=clock)
    >>> limiter.failed("anna"); limiter.failed("anna")
    >>> round(limiter.wait("anna")), limiter.wait("berta"), limiter.wait("anna")
    (598, 0.0, 0.0)
    """

    KEPT = 10_000  # keys; whoever tries more names than that pushes out the oldest

    def __init__(self, most: int, window_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.most, self.window_s, self._clock = most, window_s, clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = Lock()

    def wait(self, key: str) -> float:
        """Return how long the key has to wait, in seconds; 0: not at all."""
        at = self._clock()
        with self._lock:
            recent = self._recent(key, at)
            return max(0.0, recent[0] + self.window_s - at) if len(recent) >= self.most else 0.0

    def failed(self, key: str) -> None:
        """Note a failure."""
        at = self._clock()
        with self._lock:
            recent = self._recent(key, at)
            recent.append(at)
            self._failures[key] = recent
            self._failures.move_to_end(key)
            while len(self._failures) > self.KEPT:
                self._failures.popitem(last=False)

    def passed(self, key: str) -> None:
        """Forget the failures of a key."""
        with self._lock:
            self._failures.pop(key, None)

    def _recent(self, key: str, at: float) -> deque[float]:
        recent = self._failures.get(key, deque())
        while recent and recent[0] <= at - self.window_s:
            recent.popleft()
        return recent
