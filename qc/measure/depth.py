"""How much of the stored range an image uses, and whether its bytes are in order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def used_bits(stored: NDArray[Any]) -> float:
    """Return log2 of the range from the 0.1st to the 99.9th percentile of the stored values; 0 where that is under 2 levels.

    A ramp over 0 to 1000: 9.96.
    """
    low, high = (float(edge) for edge in np.percentile(stored, [0.1, 99.9]))
    return float(np.log2(high - low)) if high - low > 1 else 0.0


def swapped_roughness(stored: NDArray[Any]) -> float:
    """Return how much smoother a 16-bit image is with its bytes swapped: roughness as stored over roughness swapped.

    Roughness is the mean absolute step between neighbours along rows over the mean absolute deviation from the median. Images in order
    give far less than 1, as swapping turns their smooth low byte into the high one; images with swapped bytes 3 or more.
    1.0 for other than 16-bit values and for constant images.
    """
    if stored.dtype.itemsize != 2 or stored.dtype.kind not in "iu":
        return 1.0
    here, swapped = _roughness(stored), _roughness(stored.byteswap())
    return here / swapped if here > 0 and swapped > 0 else 1.0


def high_bytes_only(stored: NDArray[Any]) -> bool:
    """Tell whether all 16-bit values are multiples of 256, and at least 8 different ones: values of one byte, with that byte in the wrong place.

    Swapping the bytes of such values only scales them, so that the image is as smooth as before.
    """
    if stored.dtype.itemsize != 2 or stored.dtype.kind not in "iu" or bool(np.any(stored & 255)):
        return False
    return len(np.unique(stored)) >= 8


def _roughness(values: NDArray[Any]) -> float:
    numbers = values.astype(np.float32)
    spread = float(np.mean(np.abs(numbers - np.median(numbers))))
    return float(np.mean(np.abs(np.diff(numbers, axis=1)))) / spread if spread > 0 else 0.0
