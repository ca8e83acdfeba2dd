"""What a recipe is: a function that makes the data sets of one study and says what it put in.

A recipe is declared with `recipe` and gets a `Job`, which holds the random generator and makes study and series specs so that the same
overrides (transfer syntax, slope, date ...) work for every recipe.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from phantoms.synthetic.dicomize import SeriesSpec, StudySpec
from phantoms.synthetic.scanners import SCANNERS, Patient, invent_patient

START = dt.datetime(2025, 3, 11, 9, 30)  # no recipe reads the clock

# What `catalogue.make` takes for every recipe beside the recipe's own parameters
SERIES_OVERRIDES = tuple(
    spec_field.name
    for spec_field in dataclasses.fields(SeriesSpec)
    if spec_field.name not in ("study", "modality", "number", "private", "spacing_mm", "thickness_mm", "step_mm", "start_s")
)
STUDY_OVERRIDES = ("start", "patient", "scanner", "study_description")


@dataclass(frozen=True)
class Synthetic:
    """A study with its answer.

    Attributes
    ----------
    datasets
        In the order in which a scanner would send them.
    truth
        What was put in, by name; lengths in mm, angles in degrees, values in the real unit of the image.
    """

    datasets: list[Dataset]
    truth: dict[str, Any]


@dataclass
class Job:
    """One call of a recipe: seed, generator and overrides."""

    name: str
    seed: int
    overrides: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng([zlib.crc32(self.name.encode()), self.seed])

    def study(self, scanner: str, description: str, patient: Patient | None = None) -> StudySpec:
        """Describe the study; a patient is made up unless one is given.

        Parameters
        ----------
        scanner
            Key of `scanners.SCANNERS`.
        """
        invented = invent_patient(self.rng)  # drawn always, so that an override does not change the pixels
        start = self.overrides.get("start") or START
        return StudySpec(
            seed=f"{self.name}/{self.seed}/{start.isoformat()}",
            patient=self.overrides.get("patient") or patient or invented,
            scanner=self.overrides.get("scanner") or SCANNERS[scanner],
            start=start,
            description=self.overrides.get("study_description") or description,
        )

    def series(self, study: StudySpec, modality: str, **fields: Any) -> SeriesSpec:
        """Describe a series; overrides win, and an override of ``header`` is laid over the recipe's."""
        own = {name: value for name, value in self.overrides.items() if name in SERIES_OVERRIDES}
        header = {**fields.pop("header", {}), **own.pop("header", {})}
        return SeriesSpec(study, modality, header=header, **{**fields, **own})


Recipe = Callable[..., Synthetic]
RECIPES: dict[str, Recipe] = {}


def recipe(function: Recipe) -> Recipe:
    """Enter a recipe under the name of its function."""
    if function.__name__ in RECIPES:
        raise ValueError(f"two recipes are called {function.__name__}")
    RECIPES[function.__name__] = function
    return function
