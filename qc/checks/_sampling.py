"""Which images of a series are looked at by a measure that need not see all of them."""

from __future__ import annotations

from qc.study import Series


class Sample:
    """Take about `most` images, evenly spread over a series; of short series every one.

    What is asked for each image in turn; the answer hangs on the place in the series alone, so two runs take the same ones.
    """

    def __init__(self, series: Series, most: int) -> None:
        self.every = max(1, -(-len(series.frames) // most))
        self.offset = (self.every - 1) // 2
        self.seen = 0

    def take(self) -> bool:
        """Tell whether the next image is one of them."""
        self.seen += 1
        return (self.seen - 1 - self.offset) % self.every == 0
