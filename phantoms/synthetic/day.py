"""A small day of a department: a folder of studies, some of them broken, and the answer key."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np

from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write
from phantoms.synthetic.faults import FAULTS, inject

# recipe, its options, fault
PLAN: tuple[tuple[str, dict[str, Any], str | None], ...] = (
    ("uniform_pair", {"matrix": (192, 192), "spacing_mm": (1.25, 1.25)}, None),
    ("acr_mri_large", {}, None),
    ("mr_brain", {"slices": 12, "contrasts": ("T1", "T2")}, None),
    ("ct_head", {"slices": 20}, "lost_slice"),
    ("dx_chest", {}, "truncated_file"),
    ("mr_brain", {"slices": 10, "contrasts": ("T1", "T2")}, "wrong_patient"),
    ("us_cine", {}, None),
    ("ct_chest", {"slices": 14}, "blank_slice"),
    ("mr_brain", {"slices": 12, "matrix": 192}, "ghosted"),
    ("ct_head", {"slices": 12, "matrix": 256}, "ringed"),
    ("dx_chest", {"matrix": 384}, "dead_column"),
    ("mr_brain", {"slices": 12, "matrix": 192, "contrasts": ("T2",)}, "stripes"),
    ("ct_head", {"slices": 20, "matrix": 192}, "swapped_slices"),
)


def write_demo_day(folder: str | Path, seed: int = 0, date: dt.date | None = None) -> dict[str, Any]:
    """Write thirteen small studies of one day, nine of them with one fault each: in files, headers, slices and pixels.

    Parameters
    ----------
    folder
        Each study gets a folder of its own in it, ``study01`` to ``study13``; neither these nor the file names give a fault away.
    seed
        Same seed and date, same bytes.
    date
        Day of the examinations; default today.

    Returns
    -------
    dict
        ``date``, ``seed``, and ``studies``: one entry a study with ``study_uid``, ``folder``, ``recipe``, ``files``, and of its fault
        ``fault``, ``code`` and ``status`` (None where nothing is wrong). All plain values.
    """
    date = date or dt.date.today()
    studies = []
    for number, (recipe, options, fault) in enumerate(PLAN, start=1):
        start = dt.datetime.combine(date, dt.time(7, 10)) + dt.timedelta(minutes=55 * (number - 1))
        study_seed = seed * 10_000_000 + date.toordinal() * 10 + number
        datasets = make(recipe, study_seed, start=start, **options).datasets
        files = inject(fault, datasets, np.random.default_rng(study_seed)) if fault else datasets
        name = f"study{number:02d}"
        write(files, Path(folder) / name, [f"IM{index:05d}" for index in range(1, len(files) + 1)])
        studies.append(
            {
                "study_uid": str(datasets[0].StudyInstanceUID),
                "folder": name,
                "recipe": recipe,
                "files": len(files),
                "fault": fault,
                "code": FAULTS[fault].finding_code if fault else None,
                "status": FAULTS[fault].status if fault else None,
            }
        )
    return {"date": date.isoformat(), "seed": seed, "studies": studies}
