"""Which studies and series are taken, how much of each, and when: the site's choice of how much load its PACS gets."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any, Literal

from flows.listed import Series, Study
from flows.source_sections import PHANTOMS

Take = Literal["pixels", "headers", "nothing"]


@dataclass(frozen=True)
class Rule:
    """How much of some series is taken; the first rule that fits a series decides.

    Attributes
    ----------
    modalities, stations, descriptions
        What it fits: all that are given must fit; patterns with ``*`` for stations and descriptions, without regard to case.
    take
        ``pixels``: all of it; ``headers``: no pixel data; ``nothing``.
    series_a_day
        At most so many series of one device and day; 0: no limit. What is over it is not taken.
    """

    modalities: frozenset[str] = frozenset()
    stations: tuple[str, ...] = ()
    descriptions: tuple[str, ...] = ()
    take: Take = "pixels"
    series_a_day: int = 0

    def fits(self, study: Study, series: Series) -> bool:
        """Tell whether the rule is for a series."""
        if self.modalities and series.modality not in self.modalities:
            return False
        if self.stations and not like(series.station, self.stations):
            return False
        return not self.descriptions or like(series.description, self.descriptions) or like(study.description, self.descriptions)


@dataclass(frozen=True)
class Wanted:
    """Which studies are taken.

    Attributes
    ----------
    modalities
        At least one of the study must be among them; none: all are taken. A study of which the PACS gives no modality is taken.
    stations, descriptions
        Patterns; one of each must fit where there are some. A study of which the PACS gives no station is taken.
    not_descriptions
        Patterns of descriptions of studies that are left out.
    first_days, overlap_days, sweep_days
        How far the first look goes back, by how much a later one goes behind the one before, and how far the nightly sweep goes back.
    quiet_s
        The count of a study must stay the same for so long.
    settled_s
        A study that began so long ago is taken for quiet at once.
    patience_s
        An incomplete study is handed over after so long all the same: the checks say what is missing.
    again_s
        An incomplete study is not asked for again sooner; the pause doubles with each time.
    give_up_days
        After so long it is not asked for any more.
    rules, phantoms
        How much of a series is taken. What has a description like one of `phantoms` is always taken whole.
    hours
        Local times between which instances are fetched (off-peak); None: always.
    """

    modalities: frozenset[str] = frozenset()
    stations: tuple[str, ...] = ()
    descriptions: tuple[str, ...] = ()
    not_descriptions: tuple[str, ...] = ()
    first_days: int = 3
    overlap_days: int = 2
    sweep_days: int = 14
    quiet_s: float = 300.0
    settled_s: float = 7200.0
    patience_s: float = 5400.0
    again_s: float = 60.0
    give_up_days: float = 7.0
    at_once: int = 20
    rules: tuple[Rule, ...] = ()
    phantoms: tuple[str, ...] = PHANTOMS
    hours: tuple[time, time] | None = None

    def why_not(self, study: Study) -> tuple[str, str] | None:
        """Return why a study is not taken, as code and sentence; None where it is."""
        if self.is_phantom(study.description):
            return None
        if self.modalities and study.modalities and not self.modalities.intersection(study.modalities):
            return "modality", f"its modalities are {', '.join(study.modalities)}, which the settings leave out"
        if self.stations and study.station and not like(study.station, self.stations):
            return "station", f"its station is {study.station}, which the settings leave out"
        if self.descriptions and not like(study.description, self.descriptions):
            return "description", "its description is none of those that the settings name"
        if like(study.description, self.not_descriptions):
            return "description", "its description is one of those that the settings leave out"
        return None

    def is_phantom(self, description: str) -> bool:
        """Tell whether a description is that of a phantom."""
        return like(f" {description} ", self.phantoms)

    def open_at(self, now: datetime) -> bool:
        """Tell whether instances may be fetched at a local time."""
        if self.hours is None:
            return True
        start, end = self.hours
        clock = now.time()
        return start <= clock < end if start <= end else clock >= start or clock < end

    def settled(self, study: Study, now: datetime) -> bool:
        """Tell whether a study began so long ago that nobody is sending it any more."""
        try:
            began = datetime.strptime(study.date + (study.time[:6] or "235959").ljust(6, "0"), "%Y%m%d%H%M%S")
        except ValueError:
            return False
        return now.replace(tzinfo=None) - began >= timedelta(seconds=self.settled_s)


def why_not(wanted: Wanted, get: Callable[..., Any]) -> tuple[str, str] | None:
    """Return why an instance is not taken by what its own header says; None where it is. `get` gives a header value by keyword."""
    texts = {name: str(get(name, "") or "") for name in ("Modality", "StudyDescription", "SeriesDescription", "StationName")}
    if wanted.is_phantom(texts["SeriesDescription"]):
        return None
    modality = (texts["Modality"],) if texts["Modality"] else ()
    return wanted.why_not(Study("", "", "", modality, texts["StudyDescription"], None, None, texts["StationName"]))


@dataclass
class Share:
    """Which series were taken of each device and day, for the limit a day. A series that is in stays in."""

    taken: dict[str, list[str]] = field(default_factory=dict)

    def choose(self, wanted: Wanted, study: Study, listed: Sequence[Series], source: str) -> dict[str, tuple[Take, str]]:
        """Return for each series how much of it is taken, and why not all."""
        chosen: dict[str, tuple[Take, str]] = {}
        for one in listed:
            if wanted.is_phantom(study.description) or wanted.is_phantom(one.description):
                chosen[one.uid] = ("pixels", "")
                continue
            rule = next((rule for rule in wanted.rules if rule.fits(study, one)), Rule())
            chosen[one.uid] = self._by(rule, study, one, source)
        return chosen

    def _by(self, rule: Rule, study: Study, one: Series, source: str) -> tuple[Take, str]:
        if rule.take == "nothing":
            return "nothing", "a rule leaves such series out"
        if rule.series_a_day:
            device = f"{study.date} {one.station or study.station or source} {one.modality}"
            here = self.taken.setdefault(device, [])
            if one.uid not in here:
                if len(here) >= rule.series_a_day:
                    return "nothing", f"{rule.series_a_day} series of its device were taken that day"
                here.append(one.uid)
        return rule.take, "headers only" if rule.take == "headers" else ""

    def forget(self, before: str) -> None:
        """Forget the days before one, written YYYYMMDD."""
        self.taken = {key: uids for key, uids in self.taken.items() if key[:8] >= before}


def like(text: str, patterns: Sequence[str]) -> bool:
    """Tell whether a text is like one of some patterns, without regard to case."""
    return any(fnmatch.fnmatchcase(text.casefold(), pattern.casefold()) for pattern in patterns)


def in_words(chosen: dict[str, tuple[Take, str]]) -> str:
    """Say what of a study was not taken whole; empty where all of it was."""
    parts = [f"{sum(1 for take, _ in chosen.values() if take == 'pixels')} of {len(chosen)} series taken whole"]
    for why in sorted({why for _, why in chosen.values() if why}):
        number = sum(1 for _, one in chosen.values() if one == why)
        parts.append(f"{number} {'with ' if why == 'headers only' else 'not taken: '}{why}")
    return "; ".join(parts) if len(parts) > 1 else ""
