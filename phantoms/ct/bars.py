"""Line pairs: bar groups on a circle (CatPhan) and in squares (ACR 464)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phantoms.ct.models import ACR_BARS, BAR_ANGLES_DEG, BAR_COUNTS, BAR_RADIUS_MM
from phantoms.ct.pose import Pose
from qc.errors import Unmeasurable
from qc.measure.mtf import bar_amplitude, droege_morin

Floats = NDArray[np.float64]
RADIAL_HALF_MM = 1.5
LEAST_CONTRAST_HU = 60.0
LEAST_MATCH = 0.7
BAR_WIDTH_MM = 0.02  # how well the width of a bar is known (one CatPhan 504: 0.03 mm too narrow by the edges of its own bars)
BESIDE_MM = (1.5, 2.7)  # from the last bar: where the level beside a group is read
MOST_UNEVEN = 0.2  # of the contrast of the groups


@dataclass(frozen=True)
class Bars:
    """Line-pair groups as they were read.

    Attributes
    ----------
    frequency
        (n,) in 1/mm.
    mtf
        (n,) modulation, 1 for bars that are shown whole.
    noise
        (n,) standard uncertainty of `mtf`.
    contrast
        HU of a bar over its surroundings.
    base_share
        How far the surroundings of the groups differ from each other, as a share of the contrast: that much is not known of `mtf`.
    """

    frequency: Floats
    mtf: Floats
    noise: Floats
    contrast: float
    pose: Pose
    base_share: float = 0.0

    def resolved(self, least: float) -> float | None:
        """Return the finest frequency up to which every group keeps a modulation of `least` and stands out of the noise threefold."""
        good = (self.mtf >= least) & (self.mtf > 3 * self.noise)
        count = len(good) if good.all() else int(np.argmin(good))
        return float(self.frequency[count - 1]) if count else None

    def at(self, level: float) -> float | None:
        """Return the frequency at which the modulation falls to `level`: straight lines of ln m over f^2 between the groups."""
        below = np.flatnonzero(self.mtf < level)
        if len(below) == 0:
            return None
        at = int(below[0])
        value = float(self.mtf[at])
        if value <= 0:
            return None
        f1, m1 = (0.0, 1.0) if at == 0 else (float(self.frequency[at - 1]), float(min(self.mtf[at - 1], 1.0)))
        f2, m2 = float(self.frequency[at]), value
        share = (np.log(m1) - np.log(level)) / (np.log(m1) - np.log(m2))
        return float(np.sqrt(f1 * f1 + share * (f2 * f2 - f1 * f1)))

    def uncertainty(self, level: float) -> float | None:
        """Return the standard uncertainty of `at`.

        Of noise, unlike surroundings, the width of the bars (bars narrower than their gaps by 2 d have a fundamental that is 2 d f too
        large for their mean), and half of what another interpolation between the groups would give.
        """
        place = self.at(level)
        if place is None:
            return None
        two = min(max(int(np.searchsorted(self.frequency, place)), 1), len(self.frequency) - 1)
        f1, f2, m1, m2 = (float(one) for one in (*self.frequency[two - 1 : two + 1], *self.mtf[two - 1 : two + 1]))
        slope = max((m1 - m2) / (f2 - f1), 1e-6)
        straight = f1 + (m1 - level) / slope
        shares = np.hypot(self.base_share, 2 * BAR_WIDTH_MM * place)
        of_mtf = float(np.hypot(self.noise[two], level * shares))
        return float(np.hypot(of_mtf / slope, (straight - place) / 2))


def circle(image: NDArray[Any], pose: Pose, spacing_mm: tuple[float, float], turns_deg: Floats) -> Floats:
    """Return the profile on the circle of the bars in the frame of the phantom, mean over 3 mm of radius."""
    from scipy import ndimage

    angle = np.deg2rad((180.0 - turns_deg if pose.mirrored else turns_deg) + pose.roll_deg)
    radii = BAR_RADIUS_MM + np.array([-1.5, -0.5, 0.5, 1.5])
    rows = pose.center[0] + radii[:, None] * np.sin(angle) / spacing_mm[0]
    columns = pose.center[1] + radii[:, None] * np.cos(angle) / spacing_mm[1]
    return np.asarray(ndimage.map_coordinates(image, [rows, columns], float, order=1, mode="nearest").mean(0))


def _blocks(turns_deg: Floats) -> Floats:
    """1 within a group, 0 outside."""
    blocks = np.zeros(len(turns_deg))
    for number, (center, count) in enumerate(zip(BAR_ANGLES_DEG, BAR_COUNTS, strict=True), start=1):
        half = np.rad2deg((2 * count - 1) * 5.0 / number / 2 / BAR_RADIUS_MM)
        blocks[np.abs((turns_deg - center + 180) % 360 - 180) <= half] = 1.0
    return blocks


def align(
    image: NDArray[Any], pose: Pose, spacing_mm: tuple[float, float], reach_deg: float = 6.0, step_deg: float = 0.1
) -> tuple[Pose, float, float]:
    """Turn the pose to the groups themselves (the module may be rolled against the others).

    Returns
    -------
    (pose, correlation with the groups' places, contrast in HU)
    """
    turns = np.arange(0.0, 360.0, step_deg)
    profile = circle(image, pose, spacing_mm, turns)
    low, high = np.percentile(profile, [25, 97])
    shape = np.clip((profile - low) / max(high - low, 1e-6), 0, 0.5)
    wanted = _blocks(turns)
    shifts = np.arange(-round(reach_deg / step_deg), round(reach_deg / step_deg) + 1)
    moved = shape[(np.arange(len(turns)) + shifts[:, None]) % len(turns)]
    score = (moved - shape.mean()) @ (wanted - wanted.mean()) / (len(turns) * max(float(shape.std() * wanted.std()), 1e-9))
    at = int(score.argmax())
    turn = shifts[at] * step_deg * (-1 if pose.mirrored else 1)
    return replace(pose, roll_deg=pose.roll_deg + float(turn)), float(score[at]), float(high - low)


def has_groups(image: NDArray[Any], pose: Pose, spacing_mm: tuple[float, float]) -> bool:
    """Tell whether the line pairs of the CatPhan are in this image."""
    _, score, contrast = align(image, pose, spacing_mm)
    return score > LEAST_MATCH and contrast > LEAST_CONTRAST_HU


def _strip(image: NDArray[Any], pose: Pose, angle_deg: float, spacing_mm: tuple[float, float], along: Floats) -> Floats:
    """Profile across the bars of a group, along the tangent at its middle."""
    from scipy import ndimage

    angle = np.deg2rad(angle_deg)
    radial, tangent = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    across = np.arange(-RADIAL_HALF_MM, RADIAL_HALF_MM + 0.01, 0.25)
    x = (BAR_RADIUS_MM + across)[:, None] * radial[0] + along * tangent[0]
    y = (BAR_RADIUS_MM + across)[:, None] * radial[1] + along * tangent[1]
    x = -x if pose.mirrored else x
    turn = np.deg2rad(pose.roll_deg)
    rows = pose.center[0] + (x * np.sin(turn) + y * np.cos(turn)) / spacing_mm[0]
    columns = pose.center[1] + (x * np.cos(turn) - y * np.sin(turn)) / spacing_mm[1]
    low = np.floor([rows.min() - 8, columns.min() - 8]).astype(int)
    low = np.maximum(low, 0)
    high = np.ceil([rows.max() + 9, columns.max() + 9]).astype(int)
    part = np.asarray(image[low[0] : high[0], low[1] : high[1]], float)
    return np.asarray(ndimage.map_coordinates(part, [rows - low[0], columns - low[1]], order=5, mode="nearest").mean(0))


def read_catphan(image: NDArray[Any], pose: Pose, spacing_mm: tuple[float, float], noise_hu: float) -> Bars | None:
    """Return the modulation of the groups 2 to 21, None where no group is there.

    Over the whole periods between the first and the last gap of a group the amplitude of the group's frequency is
    2 c MTF / pi, whatever the phase. The contrast c of a group is twice its mean over the level beside the group, which blur does not
    change; the level is taken beside each group because the edge enhancement of the kernel lowers it next to much metal (on a real
    scan by 2 % of the contrast, which would make the modulation 2 to 4 % too high).

    Raises
    ------
    Unmeasurable
        ``bars_partly_in_slice``: the contrast differs from group to group by over a fifth.
    """
    pose, score, contrast = align(image, pose, spacing_mm)
    if score <= LEAST_MATCH or contrast <= LEAST_CONTRAST_HU:
        return None
    along = np.arange(-9.0, 9.005, 0.02)
    frequency, amplitude, noise, contrasts, levels = [], [], [], [], []
    nyquist = 0.5 / max(spacing_mm)
    for number in range(2, len(BAR_COUNTS) + 1):
        f = number / 10.0
        if f >= nyquist:
            break
        profile = _strip(image, pose, BAR_ANGLES_DEG[number - 1], spacing_mm, along)
        half = (BAR_COUNTS[number - 1] - 2) / 2 / f
        # the piece is 2 half long and 3 mm high; its noise amplitude is that of so many pixels
        error = noise_hu * 2 / np.sqrt(max(2 * half * 2 * RADIAL_HALF_MM / (spacing_mm[0] * spacing_mm[1]), 1.0))
        value = bar_amplitude(along, profile, f, -half, half)
        frequency.append(f)
        amplitude.append(np.sqrt(max(value**2 - error**2, 0.0)))
        noise.append(error)
        end = (2 * BAR_COUNTS[number - 1] - 1) * 5.0 / number / 2
        beside = (np.abs(along) > end + BESIDE_MM[0]) & (np.abs(along) < end + BESIDE_MM[1])
        levels.append(float(np.median(profile[beside])))
        contrasts.append(2 * (float(profile[(along >= -half) & (along < half)].mean()) - levels[-1]))
    usual = float(np.median(contrasts[:8]))
    if usual < LEAST_CONTRAST_HU or np.abs(np.array(contrasts[:8]) / usual - 1).max() > MOST_UNEVEN:
        raise Unmeasurable(
            "bars_partly_in_slice", "no slice lies wholly in the line pairs: their groups differ in contrast", contrasts_hu=contrasts[:8]
        )
    scale = np.pi / (2 * np.array(contrasts))
    unlike = float(np.std(levels[:8])) / usual
    return Bars(np.array(frequency), np.array(amplitude) * scale, np.array(noise) * scale, usual, pose, unlike)


def read_acr(image: NDArray[Any], pose: Pose, spacing_mm: tuple[float, float], noise_hu: float, base_hu: float) -> Bars | None:
    """Return the modulation of the eight squares by Droege and Morin; None where they are not there.

    The contrast of the bars comes from the mean of a square, base + c / 2, which blur does not change.
    """
    from qc.measure.roi import inside_disc

    frequency, mtf, noise, contrasts = [], [], [], []
    for angle, per_cm in ACR_BARS:
        f = per_cm / 10.0
        place = pose.polar(angle, 70.0, spacing_mm)
        inside = inside_disc(image.shape, place, 5.0, spacing_mm)
        if inside.sum() < 20:
            return None
        values = np.asarray(image[inside], float)
        contrast = 2 * (float(values.mean()) - base_hu)
        contrasts.append(contrast)
        if contrast < LEAST_CONTRAST_HU:
            return None
        frequency.append(f)
        mtf.append(droege_morin(float(values.std(ddof=1)), noise_hu, contrast))
        error = noise_hu**2 / np.sqrt(2.0 * inside.sum())  # of the variance
        sd2 = max(float(values.var(ddof=1)) - noise_hu**2, error)
        noise.append(np.pi * np.sqrt(2) / 2 / contrast * error / (2 * np.sqrt(sd2)))
    return Bars(np.array(frequency), np.array(mtf), np.array(noise), float(np.median(contrasts)), pose)
