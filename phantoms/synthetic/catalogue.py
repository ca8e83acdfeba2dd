"""The catalogue: make a study by the name of its recipe.

>>> from phantoms.synthetic.catalogue import make, names
>>> study = make("uniform_disc", seed=3, snr=50.0, transfer_syntax="rle")
>>> study.truth["snr"]
50.0
"""

from __future__ import annotations

import inspect
from typing import Any

from phantoms.synthetic import acr, ct, ct_acr464, ct_catphan, flat, mr, nuclear, planar, uniform  # noqa: F401  (each enters its recipes)
from phantoms.synthetic.recipe import RECIPES, SERIES_OVERRIDES, STUDY_OVERRIDES, Job, Synthetic


def names() -> list[str]:
    """Give the names of all recipes in alphabetical order."""
    return sorted(RECIPES)


def parameters(name: str) -> dict[str, Any]:
    """Give the recipe's own parameters with their defaults."""
    function = RECIPES[name]
    if any(p.kind is p.VAR_KEYWORD for p in inspect.signature(function).parameters.values()):
        function = acr.acr_mri  # the two ACR recipes share one set
    return {p.name: p.default for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY}


def make(name: str, seed: int = 0, **overrides: Any) -> Synthetic:
    """Make a study.

    Parameters
    ----------
    name
        One of `names`.
    seed
        Same name, seed and overrides give the same bytes; another seed another patient, other noise and other UIDs. The UIDs hang on
        name, seed and start only: two variants that go into one archive need two seeds.
    **overrides
        Parameters of the recipe (see `parameters`); fields of `SeriesSpec`, for all series of the study (``transfer_syntax``, ``slope``,
        ``intercept``, ``signed``, ``bits_stored``, ``orientation``, ``description``, ``counts``, ``header`` ...); and ``start``
        (datetime), ``patient``, ``scanner``, ``study_description``.

    Returns
    -------
    Synthetic
        Data sets and truth.
    """
    if name not in RECIPES:
        raise KeyError(f"no recipe {name!r}; there are {', '.join(names())}")
    own = parameters(name)
    shared = {*SERIES_OVERRIDES, *STUDY_OVERRIDES}
    unknown = [key for key in overrides if key not in own and key not in shared]
    if unknown:
        raise TypeError(f"{name} does not take {', '.join(unknown)}; it takes {', '.join([*own, *sorted(shared)])}")
    job = Job(name, seed, {key: value for key, value in overrides.items() if key not in own})
    return RECIPES[name](job, **{key: value for key, value in overrides.items() if key in own})
