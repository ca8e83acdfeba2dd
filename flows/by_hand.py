"""What a person sets by hand in `pacsqc phantom --set`: read, kept in the database, used again by the runs of that device."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from phantoms.acr_mri.byhand import Override, overrides
from qc.errors import ConfigurationError

if TYPE_CHECKING:
    from qc.check import CheckSpec
    from qc.runner import Report
    from reports.store import ByHand, Store


def wanted(texts: Sequence[str], why: str, who: str, tests: Iterable[CheckSpec]) -> list[Override]:
    """Read the settings of a call.

    Raises
    ------
    ConfigurationError
        All problems: form, tests or parameters that are not there, no reason.
    """
    at = datetime.now(UTC).isoformat(timespec="seconds")
    problems = [] if why.strip() else ["what is set by hand needs --reason: why? It is kept with the values"]
    found: list[Override] = []
    try:
        found = overrides(list(texts), who, at, why.strip() or "none given")
    except ConfigurationError as error:
        problems += error.problems
    known = {spec.id: settable(spec) for spec in tests}
    for one in found:
        if not known.get(one.check):
            names = ", ".join(name for name, parameters in known.items() if parameters)
            problems.append(f"nothing can be set in {one.check!r}; tests with something to set: {names}")
            continue
        problems += [
            f"{one.check} has no {name!r} to set; it has {', '.join(known[one.check])} (`pacsqc checks {one.check}`)"
            for name in one.values
            if name not in known[one.check]
        ]
    if problems:
        raise ConfigurationError(problems)
    return found


def settable(spec: CheckSpec) -> list[str]:
    """Names of the parameters that a person may set; none where a test does not record who set them."""
    names = [field.name for field in dataclasses.fields(spec.params)]
    return [name for name in names if not name.startswith("set_")] if "set_by" in names else []


def parameters(settings: Iterable[Override]) -> dict[str, dict[str, Any]]:
    """Return settings as `qc.runner.Options.parameters`."""
    return {name: values for one in settings for name, values in one.parameters().items()}


def keep(store: Store, settings: Sequence[Override], report: Report, again: bool) -> str | None:
    """Keep the settings of a call in the database, each with its row in the audit log; return the name of the device.

    Raises
    ------
    ConfigurationError
        With `again`: the images are of several devices.
    """
    first = [next(iter(study.series)).frames[0].instance for study in report.studies if study.series and study.series[0].frames]
    numbers = {store.device_for(instance.tags) for instance in first}
    if again and len(numbers) != 1:
        raise ConfigurationError(f"the images are of {len(numbers)} devices; what is to be used again is set on those of one")
    device = next(iter(numbers)) if len(numbers) == 1 else None
    study = report.studies[0].uid if len(report.studies) == 1 else None
    for one in settings:
        store.keep_by_hand(device, study, one.check, one.values, one.who, one.why, again)
    return next((known.alias for known in store.devices() if known.id == device), None)


def used_again(kept: Iterable[ByHand]) -> dict[str, dict[str, Any]]:
    """Return the parameters that the automatic runs of a device use, from what is kept for it; the later setting of a check wins."""
    return in_use(one for one in kept if one.again and one.ended_at is None)


def in_use(kept: Iterable[ByHand]) -> dict[str, dict[str, Any]]:
    """Return kept settings as parameters; the later setting of a check wins."""
    return parameters(Override(one.check, one.parameters, one.who, one.at.isoformat(timespec="seconds"), one.why) for one in kept)


def merged(general: Mapping[str, dict[str, Any]], special: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return parameters of checks, the special ones over the general."""
    return {name: {**general.get(name, {}), **special.get(name, {})} for name in {*general, *special}}
