"""Measure a phantom again for the review desk, with what a person set by hand.

The desk itself never measures: what was set is kept and work is made of the study in one transaction, and then that work is done at
once, in a process of its own. Where that comes to nothing (a stop, another run that was faster) the next run does it, and measures so too.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Collection
from pathlib import Path

from flows import by_hand, daily, explain
from flows.settings import Settings
from phantoms.acr_mri.byhand import SetRegionByHand
from qc.check import load_checks
from qc.errors import ConfigurationError, Transient
from qc.runner import Runner
from reports.store import Store
from reports.web.config import Asked, ByHandDoor, ByHandTest

# where to measure; what else the tests have (thresholds of the method) belongs to the settings of the site
_WHERE = [field.name for field in dataclasses.fields(SetRegionByHand) if not field.name.startswith("set_")]


def door(settings: Settings, store: Store) -> ByHandDoor:
    """Return what the desk may ask for."""
    return ByHandDoor(tests_for, lambda asked: measure(store, settings, asked))


def tests_for(classes: Collection[str]) -> list[ByHandTest]:
    """Return the tests of some phantoms in which a person may say where to measure."""
    found = []
    for spec in load_checks():
        names = [name for name in by_hand.settable(spec) if name in _WHERE]
        if names and set(classes) & spec.applies.classes:
            meant = explain.sentences(spec.params)
            # what stands for "as found" on the command line is an empty field in the desk
            said = {name: meant.get(name, "").partition(";")[0].rstrip(".") + "." for name in names}
            found.append(ByHandTest(spec.id, spec.title, tuple((name, said[name]) for name in _WHERE if name in names)))
    return found


def measure(store: Store, settings: Settings, asked: Asked) -> bool:
    """Keep what was set and measure the study again; False where it is kept, and waits for the next run.

    Raises
    ------
    ConfigurationError
        If something set will not do, or images are no longer there; nothing was kept then.
    """
    sources = daily.sources_for(settings)
    checks = f"{daily.checks_hash()}+{secrets.token_hex(4)}"
    if not asked.texts:
        _check_images(store, sources, asked.study_uid)
        store.measure_as_found(asked.study_uid, asked.device_id if asked.again else None, asked.who, asked.why, checks)
        return daily.process_study(store, sources, settings, asked.study_uid)
    tests = [spec for spec in load_checks() if explain.is_phantom_test(spec)]
    chosen = by_hand.wanted(asked.texts, asked.why, asked.who, tests)
    options = daily.options_for(settings)
    with Runner(dataclasses.replace(options, parameters=by_hand.merged(options.parameters, by_hand.parameters(chosen)))):
        pass  # its constructor says what will not do: a slice that there is none of, a row without a column
    _check_images(store, sources, asked.study_uid)
    values = {one.check: one.values for one in chosen}
    store.measure_by_hand(asked.study_uid, asked.device_id, values, asked.who, asked.why, asked.again, checks)
    return daily.process_study(store, sources, settings, asked.study_uid)


def _check_images(store: Store, sources: daily.Sources, study_uid: str) -> None:
    """Refuse what would put an empty result in the place of a good one."""
    known = [(name, Path(path)) for name, path in store.paths(study_uid)]
    try:
        places = sources.places(known, study_uid)
    except Transient as error:
        raise ConfigurationError(f"the images cannot be reached now ({error}); nothing was changed, try again later") from error
    gone = sum(not place.exists() for place in places)
    if gone or not places:
        raise ConfigurationError(
            f"{gone or 'all'} of the {len(places) or ''} images of this study are no longer here (deleted after upkeep.keep_days, or moved), "
            "so it cannot be measured again; nothing was changed. Send the study again, then set it by hand"
        )
