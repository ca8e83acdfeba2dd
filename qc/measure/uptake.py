"""Standardised uptake values and what radioactive decay allows."""

from __future__ import annotations

import re

# ENSDF half-lives in seconds; to a percent, to recognise a wrong entry
HALF_LIVES_S = {
    "F-18": 6586.2, "C-11": 1223.4, "N-13": 597.9, "O-15": 122.24, "GA-68": 4057.7, "CU-64": 45723.6, "ZR-89": 282240.0, "RB-82": 75.5, "I-124": 360806.4,
}  # fmt: skip
NAMES = {
    "F": "F-18", "FLUORINE": "F-18", "C": "C-11", "CARBON": "C-11", "N": "N-13", "NITROGEN": "N-13", "O": "O-15", "OXYGEN": "O-15", "GA": "GA-68",
    "GALLIUM": "GA-68", "CU": "CU-64", "COPPER": "CU-64", "ZR": "ZR-89", "ZIRCONIUM": "ZR-89", "RB": "RB-82", "RUBIDIUM": "RB-82", "I": "I-124", "IODINE": "I-124",
}  # fmt: skip


def nuclide(text: str) -> str | None:
    """Return the nuclide of a code meaning: ``^18^Fluorine`` and ``F-18`` give F-18; None where it is not one of the table."""
    words = re.findall(r"[A-Z]+", text.upper())
    numbers = re.findall(r"\d+", text)
    for word in words:
        name = NAMES.get(word)
        if name and name.split("-")[1] in numbers:
            return name
    return None


def decayed(activity: float, seconds: float, half_life_s: float) -> float:
    """Return what is left of an activity: A 2^(-t / T). 250 MBq of F-18 after 6586.2 s: 125 MBq."""
    return float(activity * 2.0 ** (-seconds / half_life_s))


def suv(concentration_bq_ml: float, weight_kg: float, activity_bq: float) -> float:
    """Return the body-weight SUV: concentration times weight over activity (1 g is taken for 1 ml).

    `activity_bq` is the injected one, decayed to the time that the concentration is given for. 3571.4 Bq/ml, 70 kg, 250 MBq: 1.000.
    """
    return concentration_bq_ml * weight_kg * 1000.0 / activity_bq
