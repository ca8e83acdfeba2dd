"""A bound on how fast bytes come: who reads slowly makes the sender wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Throttle:
    """Waits so that no more than so many bytes a second come, after a first second's worth.

    Parameters
    ----------
    bytes_per_s
        The bound, over all threads that share the throttle.
    """

    def __init__(
        self, bytes_per_s: float, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.bytes_per_s = bytes_per_s
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._paid_until = clock()

    def __call__(self, size: int) -> None:
        """Note that bytes came, and wait as long as they should have taken."""
        with self._lock:
            now = self._clock()
            self._paid_until = max(self._paid_until, now - 1.0) + size / self.bytes_per_s
            wait = self._paid_until - now
        if wait > 0:
            self._sleep(wait)
