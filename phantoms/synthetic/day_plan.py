"""What happens on a made-up day: which device examines whom, when and how. Nothing is written here.

Phantoms are measured before the first patient; then each device works through its list, and some patients come twice.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.random import Generator

from phantoms.synthetic.scanners import SCANNERS, Patient, Scanner, invent_patient

DEVICES: dict[str, Scanner] = {modality: SCANNERS[modality] for modality in ("MR", "CT", "DX", "US", "NM", "MG")}

Options = dict[str, Any]

# device, time of day, recipe, options
MORNING: tuple[tuple[str, dt.time, str, Options], ...] = (
    ("MR", dt.time(6, 5), "acr_mri_large", {"field_strength_t": 3.0}),
    ("CT", dt.time(6, 20), "ct_water", {}),
    ("NM", dt.time(6, 30), "nm_flood", {}),
    ("MR", dt.time(6, 40), "uniform_pair", {"matrix": (192, 192), "spacing_mm": (1.25, 1.25)}),
)

# What each device is asked for, in random order; the options in a tuple are drawn from
MENU: dict[str, tuple[tuple[str, Options], ...]] = {
    "MR": (
        ("mr_brain", {"matrix": (160, 192), "slices": (12, 14, 16, 18), "contrasts": (("T1", "T2"),)}),
        ("mr_brain", {"matrix": (160,), "slices": (12, 14), "contrasts": (("T1", "T2"),), "transfer_syntax": ("implicit",)}),
        ("mr_brain", {"matrix": (160, 192), "slices": (12, 14, 16), "contrasts": (("T1", "T2"),)}),
        ("mr_4d", {"slices": (8, 10, 12), "times": (6, 8, 10)}),
        ("mr_two_echoes", {"matrix": (128,), "slices": (8, 10, 12)}),
        ("enhanced_mr", {"matrix": (128,), "slices": (10, 12), "times": (2, 3)}),
    ),
    "CT": (
        ("ct_head", {"matrix": (192, 256), "slices": (18, 20, 24), "scout": (True,)}),
        ("ct_head", {"matrix": (192,), "slices": (16, 20), "scout": (True,), "transfer_syntax": ("jpeg_ls",)}),
        ("ct_chest", {"matrix": (192, 256), "slices": (16, 20)}),
        ("ct_chest", {"matrix": (192,), "slices": (16, 20), "transfer_syntax": ("implicit",)}),
        ("gantry_tilt_ct", {"matrix": (192,), "slices": (12, 14)}),
        ("two_zone_ct", {"matrix": (192,)}),
    ),
    "DX": (
        ("dx_chest", {"matrix": (384, 448, 512), "exposure_index": (180.0, 240.0, 310.0)}),
        ("dx_chest", {"matrix": (384, 448), "exposure_index": (220.0, 260.0, 290.0)}),
        ("dx_chest", {"matrix": (448,), "exposure_index": (200.0, 250.0), "monochrome1": (True,)}),
        ("dx_chest", {"matrix": (384, 512), "exposure_index": (210.0, 270.0), "transfer_syntax": ("jpeg_ls",)}),
        ("dx_chest", {"matrix": (384, 448), "exposure_index": (230.0, 280.0)}),
    ),
    "US": (
        ("us_cine", {"frames": (12, 16, 20)}),
        ("us_cine", {"frames": (10, 14), "transfer_syntax": ("rle",)}),
        ("us_cine", {"frames": (12, 18), "rgb": (False,)}),
        ("us_cine", {"frames": (8, 12), "transfer_syntax": ("rle",)}),
    ),
    "NM": (("nm_bone", {"peak_counts": (50.0, 60.0, 70.0)}), ("nm_bone", {"peak_counts": (45.0, 65.0)})),
    "MG": tuple(("mg_breast", {"matrix": ((384, 288),), "views": (("RCC", "LCC", "RMLO", "LMLO"),)}) for _ in range(3)),
}

MINUTES = {"MR": 35, "CT": 20, "DX": 12, "US": 25, "NM": 50, "MG": 18}  # an examination with its change of patients
OPENS, CLOSES = 7 * 60 + 20, 17 * 60 + 30  # minutes of the day
COMING_BACK = 4  # so many patients have a second examination
PAUSE_MIN = 40  # at least so long between the two


@dataclass
class Examination:
    """One study of the day, before it is made.

    Attributes
    ----------
    patient
        None for a phantom: the recipe knows which.
    """

    device: str
    start: dt.datetime
    recipe: str
    options: Options = field(default_factory=dict)
    patient: Patient | None = None

    @property
    def end(self) -> dt.datetime:
        """When the first object can arrive."""
        return self.start + dt.timedelta(minutes=MINUTES[self.device] * 0.6)


def plan(date: dt.date, rng: Generator) -> list[Examination]:
    """Plan a day.

    Parameters
    ----------
    date
        The local day.
    rng
        Chooses order, times, options and patients.

    Returns
    -------
    list of Examination
        In order of arrival.
    """
    day = [Examination(device, dt.datetime.combine(date, time), recipe, dict(options)) for device, time, recipe, options in MORNING]
    patients = []
    for device, menu in MENU.items():
        for (recipe, choices), minute in zip(_shuffled(menu, rng), _times(device, len(menu), rng), strict=True):
            options = {name: values[int(rng.integers(len(values)))] for name, values in choices.items()}
            start = dt.datetime.combine(date, dt.time()) + dt.timedelta(minutes=minute, seconds=int(rng.integers(60)))
            patients.append(Examination(device, start, recipe, options))
    _choose_patients(patients, rng)
    return sorted([*day, *patients], key=lambda examination: examination.end)


def _shuffled(things: Sequence[Any], rng: Generator) -> list[Any]:
    return [things[int(index)] for index in rng.permutation(len(things))]


def _times(device: str, count: int, rng: Generator) -> list[int]:
    """Minutes of the day at which a device begins: in turn, never two at once, with pauses between."""
    length = MINUTES[device]
    spare = CLOSES - OPENS - count * length
    pauses = sorted(int(minute) for minute in rng.integers(0, spare, count))
    return [OPENS + number * length + pause for number, pause in enumerate(pauses)]


def _choose_patients(examinations: list[Examination], rng: Generator) -> None:
    """Give everyone a patient; a few have two examinations on different devices, one well after the other."""
    taken: set[str] = set()
    for examination in examinations:
        examination.patient = _somebody(taken, rng, "F" if examination.device == "MG" else None)
    left = _shuffled(examinations, rng)
    pairs = 0
    while left and pairs < COMING_BACK:
        first = left.pop()
        later = [other for other in left if _can_follow(first, other)]
        if later:
            second = later[int(rng.integers(len(later)))]
            left.remove(second)
            second.patient = first.patient
            pairs += 1


def _can_follow(first: Examination, second: Examination) -> bool:
    free = first.start + dt.timedelta(minutes=MINUTES[first.device] + PAUSE_MIN) <= second.start
    fits = second.device != "MG" or (first.patient is not None and first.patient.sex == "F")
    return free and fits and second.device != first.device


def _somebody(taken: set[str], rng: Generator, sex: str | None) -> Patient:
    """Invent a patient whose number and name are still free today."""
    while True:
        patient = invent_patient(rng)
        if sex in (None, patient.sex) and not {patient.patient_id, patient.name} & taken:
            taken |= {patient.patient_id, patient.name}
            return patient
