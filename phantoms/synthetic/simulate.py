"""A simulated day of a department: an inbox such as a PACS fills it, what the source says about it, and what is wrong in it.

`write_day` makes six devices work through some thirty studies and breaks a dozen of them, each in another way. It is there to try the
daily run, and to train people: with ``for_training`` the answers lie elsewhere, and `score` marks what a trainee found.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from phantoms.synthetic.catalogue import make
from phantoms.synthetic.day_plan import DEVICES, Examination, plan
from phantoms.synthetic.encode import as_bytes
from phantoms.synthetic.faults import FAULTS, Files, inject
from phantoms.synthetic.marking import TASK, score
from phantoms.synthetic.targets import series_of
from qc.errors import ConfigurationError

__all__ = ["score", "write_day"]

SCHEMA = 1
# How many faults of each topic make a day
SHARES = {"slices": 3, "stacks": 2, "files": 2, "headers": 1, "relations": 1, "pixels": 1, "artefacts": 1, "identity": 1}
NOT_OF_A_STUDY = ("empty_file",)  # nothing in the file says to which study it belongs
OF_ONE_STUDY = ("born_after_the_study",)  # would contradict another study of the same patient, which then has a finding too
PHANTOM_FAULTS = ("shading_of_phantom",)  # the only ones that phantom tests get
HARMLESS = ("byte_identical_copy", "not_dicom")
TRAPS = {
    "gantry_tilt_ct": "The gantry was tilted, so the stack is sheared; nothing is missing.",
    "two_zone_ct": "Thin slices through the skull base, thick ones above: planned so, nothing is missing.",
    "ct_chest": "The tube current follows the body from slice to slice: dose modulation, as it should be.",
}
_TAGS = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SeriesNumber", "Modality", "SeriesDescription"]


def write_day(folder: str | Path, seed: int = 0, date: dt.date | None = None, for_training: bool = False) -> dict[str, Any]:
    """Write the studies of one day, about a dozen of them with one fault each.

    Parameters
    ----------
    folder
        Gets ``inbox/`` with a folder a study (``study01`` ..., in order of arrival), ``manifest.json`` (what the source says exists, and
        when each file arrived) and ``answers.json`` (the key).
    seed
        Same seed and date, same files.
    date
        The local day; default yesterday.
    for_training
        Put the key into a folder beside the given one, named like it with ``-key``, and let the manifest count only what arrived.

    Returns
    -------
    dict
        The key: ``date``, ``seed``, ``studies`` (all of them), ``faults`` (what must be found, each with ``study``, ``study_uid``,
        ``series_uid`` or None, ``fault``, ``code``, ``status``, ``sentence``), ``only_with_counts`` (what the source's own count alone
        gives away), ``harmless`` (what looks odd and is right), and ``paths``: ``inbox``, ``manifest``, ``answers``.

    Raises
    ------
    ConfigurationError
        If there is a day in the folder already.
    """
    folder = Path(folder).resolve()
    date = date or dt.date.today() - dt.timedelta(days=1)
    answers_folder = folder.with_name(f"{folder.name}-key") if for_training else folder
    paths = {"inbox": folder / "inbox", "manifest": folder / "manifest.json", "answers": answers_folder / "answers.json"}
    if any(path.exists() for path in paths.values()):
        raise ConfigurationError("there is a simulated day in the folder already; name an empty folder")
    rng = np.random.default_rng([seed, date.toordinal()])
    day = plan(date, rng)
    made = [_make(examination, seed, number) for number, examination in enumerate(day, start=1)]
    broken = _choose(day, made, rng, "" if for_training else "lost_series")

    key: dict[str, Any] = {"schema": SCHEMA, "date": date.isoformat(), "seed": seed, "studies": []}
    key |= {"faults": [], "only_with_counts": [], "harmless": []}
    told = []
    for number, (examination, datasets) in enumerate(zip(day, made, strict=True), start=1):
        name = broken.get(number - 1)
        files: Files = inject(name, datasets, rng) if name else list(datasets)
        data = [as_bytes(file) for file in files]
        entry = _entry(number, examination, datasets, data, name)
        arrivals = _write(paths["inbox"] / entry["folder"], data, examination.end, rng)
        told.append(_told(entry, examination, files if for_training else datasets, arrivals, count_only=for_training))
        _enter(key, entry, examination.recipe)
    _write_json(paths["manifest"], {"schema": SCHEMA, "date": date.isoformat(), "devices": _devices(), "studies": told})
    _write_json(paths["answers"], key)
    if for_training:
        (folder / "TASK.txt").write_text(TASK, encoding="utf-8")
    return key | {"paths": {what: str(path) for what, path in paths.items()}}


def _make(examination: Examination, seed: int, number: int) -> list[Dataset]:
    study_seed = (seed * 10_000_000 + examination.start.date().toordinal()) * 100 + number
    given: dict[str, Any] = {} if examination.patient is None else {"patient": examination.patient}
    given |= {"start": examination.start, "scanner": DEVICES[examination.device]}
    return make(examination.recipe, study_seed, **given, **examination.options).datasets


# -- who gets which fault ---------------------------------------------------------------------------------------------


def _choose(day: Sequence[Examination], made: Sequence[list[Dataset]], rng: Generator, unseen: str) -> dict[int, str]:
    """Choose faults with different codes and a study for each: index of the study -> fault. Those that fit few studies choose first."""
    names: list[str] = []
    fit: dict[str, list[int]] = {}

    def fitting(name: str) -> list[int]:
        """Studies in which a fault can be made; looked for when it is drawn, because looking takes its time."""
        if name not in fit:
            fit[name] = [at for at in range(len(day)) if _fits(name, day[at], made[at]) and not _comes_twice(name, day, at)]
        return fit[name]

    for topic, count in SHARES.items():
        pool = [name for name, fault in FAULTS.items() if fault.topic == topic and fault.implemented and fault.status in ("warn", "fail")]
        drawn: list[str] = []
        for index in rng.permutation(len(pool)):
            codes = {FAULTS[name].finding_code for name in [*names, *drawn]}
            wanted = len(drawn) < count and pool[index] not in NOT_OF_A_STUDY and FAULTS[pool[index]].finding_code not in codes
            if wanted and fitting(pool[index]):
                drawn.append(pool[index])
        names += drawn
    names += [*HARMLESS, *([unseen] if unseen else [])]
    broken: dict[int, str] = {}
    for name in sorted(names, key=lambda name: len(fitting(name))):
        free = [index for index in fitting(name) if index not in broken]
        if free:
            broken[free[int(rng.integers(len(free)))]] = name
    return broken


def _fits(name: str, examination: Examination, datasets: list[Dataset]) -> bool:
    """Phantom tests are left whole but for their own faults."""
    if (examination.patient is None) != (name in PHANTOM_FAULTS):
        return False
    return FAULTS[name].applies(datasets)


def _comes_twice(name: str, day: Sequence[Examination], index: int) -> bool:
    patient = day[index].patient
    return name in OF_ONE_STUDY and patient is not None and sum(one.patient == patient for one in day) > 1


# -- the key ----------------------------------------------------------------------------------------------------------


def _entry(number: int, examination: Examination, before: list[Dataset], after: list[bytes], name: str | None) -> dict[str, Any]:
    """Describe a study for the key; `after` are the files as they are written."""
    fault = FAULTS[name] if name else None
    return {
        "study": number,
        "study_uid": str(before[0].StudyInstanceUID),
        "series_uid": _series_hit(before, after) if name else None,
        "folder": f"study{number:02d}",
        "modality": examination.device,
        "station": DEVICES[examination.device].station,
        "started": examination.start.isoformat(),
        "description": str(before[0].StudyDescription),
        "recipe": examination.recipe,
        "files": len(after),
        "missing": max(0, len(before) - len(after)),
        "fault": name,
        "code": fault.finding_code if fault else None,
        "status": fault.status if fault else None,
        "sentence": fault.meaning if fault else None,
    }


def _enter(key: dict[str, Any], entry: dict[str, Any], recipe: str) -> None:
    """File a study under what it is: broken, broken where only a count can tell, harmless, or in order."""
    fault = FAULTS[entry["fault"]] if entry["fault"] else None
    if fault and fault.finding_code:
        key["faults"].append(entry)
    elif fault and not fault.visible:
        key["only_with_counts"].append(entry)
    elif fault or recipe in TRAPS:
        key["harmless"].append(entry | {"sentence": fault.meaning if fault else TRAPS[recipe]})
    if fault is None or fault.finding_code is None:
        entry = entry | {"fault": None, "sentence": None}
    key["studies"].append(entry)


def _series_hit(before: Sequence[Dataset], after: Sequence[bytes]) -> str | None:
    """The series whose files a fault changed, took or added; None where it was none or several."""
    old = {as_bytes(dataset): str(dataset.SeriesInstanceUID) for dataset in before}
    new = Counter(after)
    hit = {series for data, series in old.items() if new[data] != 1}
    hit |= {str(_header(data).get("SeriesInstanceUID", "")) for data in new if data not in old}
    hit.discard("")
    return hit.pop() if len(hit) == 1 else None


def _header(file: Dataset | bytes) -> Dataset:
    """The few values by which a source lists an object; empty for what is no DICOM."""
    if isinstance(file, Dataset):
        return file
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dcmread(io.BytesIO(file), stop_before_pixels=True, force=True, specific_tags=_TAGS)
    except (InvalidDicomError, EOFError, ValueError, AttributeError, KeyError, NotImplementedError):
        return Dataset()


# -- what is written --------------------------------------------------------------------------------------------------


def _write(folder: Path, files: Sequence[bytes], first: dt.datetime, rng: Generator) -> list[dict[str, str]]:
    """Write the files under running numbers in the order in which they arrive; some senders do not keep the order of the images."""
    folder.mkdir(parents=True)
    order = rng.permutation(len(files)) if rng.random() < 0.3 else np.arange(len(files))
    moments = np.cumsum(rng.uniform(0.1, 1.2, len(files)))
    arrivals = []
    for number, (index, seconds) in enumerate(zip(order, moments, strict=True), start=1):
        name = f"IM{number:05d}"
        (folder / name).write_bytes(files[int(index)])
        at = first + dt.timedelta(seconds=float(seconds))
        arrivals.append({"file": f"{folder.name}/{name}", "at": at.isoformat(timespec="milliseconds")})
    return arrivals


def _told(
    entry: Mapping[str, Any], examination: Examination, files: Sequence[Dataset | bytes], arrivals: list[dict[str, str]], count_only: bool
) -> dict[str, Any]:
    """What the source says about a study: its series with their images, and the arrivals."""
    headers: Files = [header for header in map(_header, files) if "SeriesInstanceUID" in header]
    series = []
    for members in series_of(headers):
        one = headers[members[0]]
        listed = {
            "series_uid": str(one.SeriesInstanceUID),
            "number": int(one.SeriesNumber),
            "modality": str(one.Modality),
            "description": str(one.SeriesDescription),
            "instances": len(members),
        }
        if not count_only:
            listed["instance_uids"] = [str(headers[index].SOPInstanceUID) for index in members]
        series.append(listed)
    shown = {what: entry[what] for what in ("study", "study_uid", "folder", "modality", "station", "started", "description")}
    return shown | {"instances": sum(one["instances"] for one in series), "series": series, "arrivals": arrivals}


def _devices() -> list[dict[str, str]]:
    return [
        {
            "modality": modality,
            "manufacturer": device.manufacturer,
            "model": device.model,
            "serial_number": device.serial_number,
            "station": device.station,
            "software": device.software,
        }
        for modality, device in DEVICES.items()
    ]


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
