"""The sources in the settings file: each ``[[sources]]`` names one, and its kind decides which keys it takes."""

from __future__ import annotations

import re
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, field_validator, model_validator

from flows.sections import Section, _key, _listed

PHANTOMS = ("*phantom*", "*catphan*", "*acr *", "* acr*", "*qa *", "* qa*", "*qc *", "* qc*")
Texts = Annotated[tuple[str, ...], BeforeValidator(_listed)]
HOURS = re.compile(r"^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$")
PATTERNS = "texts with * for anything; capitals do not matter"


def _number(default: float, sentence: str, unit: str, low: float = 0, high: float = 1e6) -> Any:
    allowed = f"a number from {low:g} to {high:g}"
    return _key(default, sentence, allowed, unit, ge=low, le=high)


class RuleSection(Section):
    """How much of some series is taken: ``[[sources.rules]]``. The first rule that fits a series decides; phantoms are always taken whole."""

    modalities: Texts = _key((), "Modalities that the rule is for. Empty: all.", "DICOM modalities such as CT, MR")
    stations: Texts = _key((), "Stations that the rule is for. Empty: all.", PATTERNS)
    descriptions: Texts = _key((), "Descriptions of series or study that the rule is for. Empty: all.", PATTERNS)
    take: Literal["pixels", "headers", "nothing"] = _key(
        "pixels", "Take series whole, headers alone (no pixel check runs then), or not at all.", "pixels, headers or nothing"
    )
    series_a_day: int = _key(
        0, "At most so many series of one device and day. 0: all.", "a whole number from 0 to 100000", "series", ge=0, le=100000
    )


class SourceSection(Section):
    """What every source has."""

    name: str = _key(
        "",
        "What the source is called in reports and on the command line.",
        "letters, digits, - and _; each once",
        pattern=r"^[A-Za-z0-9][\w-]{0,39}$",
    )
    modalities: Texts = _key((), "Modalities that are taken. Empty: all.", "DICOM modalities such as CT, MR")
    stations: Texts = _key((), "Stations that are taken. Empty: all.", PATTERNS)
    descriptions: Texts = _key((), "Descriptions of studies that are taken. Empty: all.", PATTERNS)
    not_descriptions: Texts = _key((), "Descriptions of studies that are left out.", PATTERNS)
    phantoms: Texts = _key(PHANTOMS, "What has such a description is a phantom: taken whole, whatever the filters and rules say.", PATTERNS)


class FolderSection(SourceSection):
    """A folder that is watched and never changed."""

    kind: Literal["folder"] = "folder"
    folder: Path = _key(Path("inbox"), "The folder.", "a folder", "path")
    quiet_seconds: float = _number(30.0, "A study is checked when nothing of it has arrived for so long.", "s", 0, 86400)


class ArchiveSection(SourceSection):
    """What every archive that is asked has."""

    first_days: int = _key(3, "How far back the first look goes.", "a whole number from 0 to 3650", "d", ge=0, le=3650)
    overlap_days: int = _key(
        2, "How far each look goes back behind the one before: studies come late.", "a whole number from 0 to 365", "d", ge=0, le=365
    )
    sweep_days: int = _key(14, "How far back the nightly sweep counts every study anew.", "a whole number from 0 to 365", "d", ge=0, le=365)
    quiet_seconds: float = _number(300.0, "The count of a new study must stay the same for so long.", "s", 0, 86400)
    settled_hours: float = _number(2.0, "A study that began so long ago is taken for quiet at once.", "h", 0, 8760)
    patience_minutes: float = _number(
        90.0, "An incomplete study is checked as it is after so long, and the report names what is missing.", "min", 0, 100000
    )
    again_seconds: float = _number(60.0, "An incomplete study is not asked for again sooner; the pause doubles each time.", "s", 0, 86400)
    give_up_days: float = _number(7.0, "An incomplete study is not asked for any more after so long.", "d", 0, 3650)
    studies_at_once: int = _key(
        20,
        "Studies that are fetched before the ledger is written and others get a turn.",
        "a whole number from 1 to 1000",
        "studies",
        ge=1,
        le=1000,
    )
    most_mb_per_second: float = _number(0.0, "Most that is fetched a second. 0: no bound.", "MB/s", 0, 100000)
    hours: str = _key(
        "",
        "Local times between which instances are fetched, e.g. 19:00-06:30. Empty: always. Counts are asked for at any time.",
        "empty or HH:MM-HH:MM",
    )
    rules: tuple[RuleSection, ...] = _key((), "How much of which series is taken: [[sources.rules]].", "rules")
    connect_seconds: float = _number(10.0, "How long to wait for a connection.", "s", 0.1, 600)
    answer_seconds: float = _number(120.0, "How long the archive may be silent while it works.", "s", 0.1, 86400)
    certificate: Path | None = _key(None, "Our certificate, where the archive wants to see one.", "a PEM file", "path")
    key: Path | None = _key(None, "The key of our certificate.", "a PEM file", "path")
    trusted: Path | None = _key(
        None, "Certificates that the archive's is checked against. Empty: those of the system.", "a PEM file", "path"
    )
    cap: int = _key(
        0,
        "Quirk: most answers the archive gives to a query; a list that long is asked for again in halves. 0: not known.",
        "a whole number from 0 to 1000000",
        "answers",
        ge=0,
        le=1000000,
    )
    widest_days: int = _key(31, "Quirk: days that one query may span.", "a whole number from 1 to 3650", "d", ge=1, le=3650)
    empty_when_wide: bool = _key(
        False, "Quirk: it answers nothing, in place of an error, where a query is too wide.", "true or false", "yes/no"
    )
    time_ranges: bool = _key(True, "Quirk: it takes a range of times within a day.", "true or false", "yes/no")
    image_level: bool = _key(True, "Quirk: it lists single images, so that what is missing has a name.", "true or false", "yes/no")

    @field_validator("hours")
    @classmethod
    def _times(cls, value: str) -> str:
        if value and not HOURS.match(value):
            raise ValueError("no range of times")
        return value

    @property
    def between(self) -> tuple[time, time] | None:
        """The hours as times."""
        found = HOURS.match(self.hours)
        if not found:
            return None
        start_h, start_m, end_h, end_m = map(int, found.groups())
        return time(start_h, start_m), time(end_h, end_m)


class DimseSection(ArchiveSection):
    """A PACS that is asked by C-FIND and hands over by C-GET or C-MOVE."""

    kind: Literal["dimse"] = "dimse"
    host: str = _key("127.0.0.1", "Name or address of the PACS.", "a host name or address")
    port: int = _key(104, "Its port.", "a whole number from 1 to 65535", "port", ge=1, le=65535)
    title: str = _key("PACS", "Its AE title.", "1 to 16 characters", min_length=1, max_length=16)
    own_title: str = _key("PACSQC", "Our AE title; the PACS must know it.", "1 to 16 characters", min_length=1, max_length=16)
    retrieve: Literal["get", "move"] = _key(
        "get", "C-GET comes over the association that asks; for C-MOVE the PACS must know our address.", "get or move"
    )
    destination: str = _key(
        "",
        "C-MOVE: the AE title that the PACS sends to; it must lead to listen_port here. Empty: own_title.",
        "empty or 1 to 16 characters",
        max_length=16,
    )
    listen_host: str = _key("0.0.0.0", "C-MOVE: address that is listened at while the PACS sends.", "an address of this machine")
    listen_port: int = _key(
        11113, "C-MOVE: port that is listened at while the PACS sends.", "a whole number from 1 to 65535", "port", ge=1, le=65535
    )
    tls: bool = _key(False, "Talk TLS.", "true or false", "yes/no")
    model: Literal["study", "patient"] = _key("study", "Quirk: information model that the PACS speaks.", "study or patient")
    uid_lists: bool = _key(True, "Quirk: it takes several instances in one retrieve.", "true or false", "yes/no")


class DicomwebSection(ArchiveSection):
    """An archive that is asked by QIDO-RS and hands over by WADO-RS."""

    kind: Literal["dicomweb"] = "dicomweb"
    url: str = _key(
        "http://127.0.0.1:8042/dicom-web",
        "Address of the DICOMweb service.",
        "http://HOST/PATH or https://HOST/PATH",
        pattern=r"^https?://\S+$",
    )
    token_variable: str = _key(
        "", "Environment variable that holds the bearer token. Empty: none is sent.", "empty or a name of a variable"
    )
    user_variable: str = _key("", "Environment variable that holds the user name. Empty: none is sent.", "empty or a name of a variable")
    password_variable: str = _key("", "Environment variable that holds the password.", "empty or a name of a variable")


class OrthancSection(ArchiveSection):
    """An Orthanc whose change feed is read."""

    kind: Literal["orthanc"] = "orthanc"
    url: str = _key("http://127.0.0.1:8042", "Address of Orthanc.", "http://HOST/PATH or https://HOST/PATH", pattern=r"^https?://\S+$")
    user_variable: str = _key("", "Environment variable that holds the user name. Empty: none is sent.", "empty or a name of a variable")
    password_variable: str = _key("", "Environment variable that holds the password.", "empty or a name of a variable")

    @model_validator(mode="after")
    def _no_headers(self) -> OrthancSection:
        if any(rule.take == "headers" for rule in self.rules):
            raise ValueError("a source of kind orthanc gives no headers alone; make it one of kind dicomweb for such a rule")
        return self


KINDS: dict[str, type[SourceSection]] = {
    "folder": FolderSection,
    "dimse": DimseSection,
    "dicomweb": DicomwebSection,
    "orthanc": OrthancSection,
}
OWN_NAMES = ("inbox", "received")  # of the sources that need no section
