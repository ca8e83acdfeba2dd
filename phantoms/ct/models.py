"""What is known of the CT phantoms: inserts, modules and their places. Lengths in mm, angles clockwise on the screen from the right.

Places of inserts and modules: CatPhan manuals (The Phantom Laboratory) and ACR CT phantom instructions, as tabulated by peers and
compared with images; nominal CT numbers are those of the manuals at 120 kV and serve recognition only. Limits stand in the criteria sets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Insert:
    """A rod.

    Attributes
    ----------
    name
        Region of ``ct.hu``.
    angle_deg, distance_mm, radius_mm
        Place of its axis and its radius.
    nominal_hu
        CT number by which it is recognised.
    measured
        False for the second rod of a material (or a place that may hold water or air).
    """

    name: str
    angle_deg: float
    nominal_hu: float
    distance_mm: float = 58.7
    radius_mm: float = 6.1
    measured: bool = True

    @property
    def xy_mm(self) -> tuple[float, float]:
        """(x, y), y down, in the frame of the phantom."""
        angle = np.deg2rad(self.angle_deg)
        return self.distance_mm * float(np.cos(angle)), self.distance_mm * float(np.sin(angle))


@dataclass(frozen=True, eq=False)
class Model:
    """A phantom.

    Attributes
    ----------
    modules
        Name -> (distance of its centre from the module with the inserts along the axis, half of the length that may be used).
    base_hu
        CT number of the material between the inserts.
    """

    name: str
    title: str
    radius_mm: float
    inserts: tuple[Insert, ...]
    modules: dict[str, tuple[float, float]]
    base_hu: float = 100.0
    insert_module_half_mm: float = 12.5

    @property
    def ring_mm(self) -> float:
        """Distance of most inserts from the axis."""
        return self.inserts[0].distance_mm


_CTP404 = (
    Insert("air", -90, -1000),
    Insert("pmp", -120, -196),
    Insert("ldpe", 180, -104),
    Insert("polystyrene", 120, -47),
    Insert("acrylic", 60, 115),
    Insert("delrin", 0, 365),
    Insert("teflon", -60, 1000),
)
_AIR_BELOW = Insert("air", 90, -1000, measured=False)

CATPHAN504 = Model(
    "phantom:catphan504",
    "CatPhan 504",
    101.0,
    (*_CTP404, _AIR_BELOW),
    {"uniformity": (-65.0, 12.0), "resolution": (30.0, 6.0), "low_contrast": (-30.0, 12.0)},
)
CATPHAN503 = Model(
    "phantom:catphan503",
    "CatPhan 503",
    97.0,
    (*_CTP404, _AIR_BELOW),
    {"uniformity": (-110.0, 12.0), "resolution": (-30.0, 6.0)},
)
CATPHAN600 = Model(
    "phantom:catphan600",
    "CatPhan 600",
    101.0,
    (
        Insert("air", 90, -1000),
        Insert("pmp", 60, -196),
        Insert("ldpe", 0, -104),
        Insert("polystyrene", -60, -47),
        Insert("acrylic", -120, 115),
        Insert("delrin", 180, 365),
        Insert("teflon", 120, 1000),
    ),
    {"uniformity": (-160.0, 12.0), "low_contrast": (-110.0, 12.0), "resolution": (-70.0, 6.0)},
)
CATPHAN604 = Model(
    "phantom:catphan604",
    "CatPhan 604",
    101.0,
    (*_CTP404, _AIR_BELOW, Insert("bone50", -150, 725), Insert("bone20", 30, 237)),
    {"uniformity": (-80.0, 12.0), "resolution": (40.0, 6.0), "low_contrast": (-40.0, 12.0)},
)
CATPHAN700 = Model(
    "phantom:catphan700",
    "CatPhan 700",
    101.0,
    (
        Insert("air", 270, -1000),
        Insert("pmp", 300, -196),
        Insert("lung", 345, -868),
        Insert("delrin", 15, 365),
        Insert("polystyrene", 60, -47),
        Insert("teflon", 90, 1000),
        Insert("bone20", 120, 237),
        Insert("ldpe", 165, -104),
        Insert("bone50", 195, 725),
        Insert("acrylic", 240, 115),
    ),
    {"low_contrast": (-80.0, 12.0), "uniformity": (-160.0, 12.0)},
)
ACR464 = Model(
    "phantom:acr_ct_464",
    "ACR CT 464",
    100.0,
    (
        Insert("air", 45, -1000, 63.0, 12.5),
        Insert("polyethylene", 225, -95, 63.0, 12.5),
        Insert("acrylic", 135, 120, 63.0, 12.5),
        Insert("bone", -45, 955, 63.0, 12.5),
        Insert("water", 180, 0, 63.0, 12.5),
    ),
    {"low_contrast": (40.0, 10.0), "uniformity": (80.0, 10.0), "resolution": (120.0, 10.0)},
    base_hu=0.0,
    insert_module_half_mm=20.0,
)
MODELS = (CATPHAN504, CATPHAN503, CATPHAN600, CATPHAN604, CATPHAN700, ACR464)
CATPHANS = (CATPHAN504, CATPHAN503, CATPHAN600, CATPHAN604, CATPHAN700)
BY_NAME = {model.name: model for model in MODELS}
ALL_CLASSES = frozenset(BY_NAME)
WATER = "phantom:ct_water"

PIN_HALF_MM = 25.0  # the four pins of the CatPhan stand on a square of 50 mm
RAMP_DISTANCE_MM = 38.0
RAMP_ANGLE_DEG = 23.0
# centre of the line-pair groups 1 to 21 per cm on the circle of 47.5 mm, number of bars (CTP528 of the CatPhan 504 and 604)
BAR_RADIUS_MM = 47.5
BAR_ANGLES_DEG = (
    152.0, 128.6, 104.6, 85.8, 68.0, 49.4, 31.9, 15.2, 0.4, -14.6, -30.2, -44.2, -57.9, -71.5, -85.7, -99.3, -112.2, -124.6, -137.0, -149.6, -161.6,
)  # fmt: skip
BAR_COUNTS = (2, 3, 4, 4, 4, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5)
# ACR 464: 15 mm squares of bars at 70 mm, (angle, lp/cm)
ACR_BARS = ((-135.0, 4), (180.0, 5), (135.0, 6), (90.0, 7), (45.0, 8), (0.0, 9), (-45.0, 10), (-90.0, 12))
