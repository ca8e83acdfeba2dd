"""The sections of the settings file: every key with its default, unit, what is allowed, and a sentence."""

from __future__ import annotations

import re
import zoneinfo
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator

from qc.criteria import DEFAULT as CRITERIA


def _key(default: Any, sentence: str, allowed: str, unit: str = "", *, secret: bool = False, **limits: Any) -> Any:
    """Declare a key; a secret is taken from the environment only."""
    return Field(default, description=sentence, json_schema_extra={"unit": unit, "allowed": allowed, "secret": secret}, **limits)


def _listed(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _rules(value: Any) -> Any:
    return [part.strip() for part in value.split(";") if part.strip()] if isinstance(value, str) else value


_DAY = "(mon|tue|wed|thu|fri|sat|sun)"
RULE = re.compile(rf"\s*[^=]+=\s*[\w.*:-]+?\s*:\s*(daily|{_DAY}(-{_DAY})?)(\s*,\s*{_DAY}(-{_DAY})?)*\s*")  # as reports.due reads it


RuleName = Literal[
    "limits", "two_of_three", "four_of_five", "run", "range", "ewma", "cusum", "trend", "alternating", "narrow", "wide"
]  # fmt: skip


class Section(BaseModel):
    """A section of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Data(Section):
    """Where pacsqc keeps what it makes."""

    folder: Path = _key(Path("pacsqc-data"), "Everything pacsqc writes: database, reports, site key.", "a folder", "path")


class Database(Section):
    """Where results are kept."""

    url: SecretStr = _key(
        SecretStr(""),
        "Database for results and work. Empty: the SQLite file results.sqlite in the data folder. With a password: environment only.",
        "empty, sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME",
    )

    @field_validator("url")
    @classmethod
    def _known(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if text and not text.startswith(("sqlite:///", "postgresql://", "postgresql+")):
            raise ValueError("not a database URL of a known kind")
        return value


class Inbox(Section):
    """The folder that new images arrive in."""

    folder: Path | None = _key(None, "Folder that is watched and never changed. Empty: inbox in the data folder.", "a folder", "path")
    quiet_seconds: float = _key(
        30.0,
        "A study is checked when nothing of it has arrived for so long.",
        "a number from 0 to 86400",
        "s",
        ge=0,
        le=86400,
        allow_inf_nan=False,
    )

    @field_validator("folder", mode="before")
    @classmethod
    def _empty(cls, value: Any) -> Any:
        return value or None


class Site(Section):
    """The place that the images come from."""

    name: str = _key("", "Name of the hospital or department, printed on reports.", "a text of at most 80 characters", max_length=80)
    timezone: str = _key(
        "",
        "Time zone of images that do not tell their own. Empty: that of this machine.",
        "a name such as Europe/Berlin, UTC, America/New_York",
    )
    key: SecretStr | None = _key(
        None,
        "Secret that turns patient IDs into hashes; who has it can undo them. Not set: made once and kept in the data folder (site.key).",
        "a text of at least 16 characters",
        secret=True,
    )

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        if value:
            try:
                zoneinfo.ZoneInfo(value)
            except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
                raise ValueError("no such time zone") from error
        return value

    @field_validator("key")
    @classmethod
    def _long(cls, value: SecretStr | None) -> SecretStr | None:
        if value and len(value.get_secret_value()) < 16:
            raise ValueError("too short")
        return value


class Checks(Section):
    """How images are checked."""

    criteria: Annotated[tuple[str, ...], BeforeValidator(_listed)] = _key(
        CRITERIA,
        "Criteria sets, asked in this order; the first that knows a limit gives it.",
        "names of built-in sets or paths of .toml files",
        min_length=1,
    )
    protocols: Path | None = _key(
        None,
        "File with the protocols that series are compared with; `pacsqc protocol learn` writes one. Empty: series are not compared.",
        "a .toml file",
        "path",
    )
    allowed: Path | None = _key(
        None,
        "File with departures from the standard that are let pass, by maker and model, beside the built-in ones. Empty: none.",
        "a .toml file",
        "path",
    )
    max_volume_mb: int = _key(
        1024, "Largest stack that is held in memory at once.", "a whole number from 16 to 1048576", "MB", ge=16, le=1048576
    )

    @field_validator("protocols", "allowed", mode="before")
    @classmethod
    def _empty(cls, value: Any) -> Any:
        return value or None


class Trends(Section):
    """How charts of phantom values are judged."""

    rules: Annotated[tuple[RuleName, ...], BeforeValidator(_listed)] = _key(
        ("limits", "two_of_three", "run", "range", "ewma", "cusum"),
        "Rules that signal on a chart. Western Electric 1, 2, 4 are limits, two_of_three, run; its rule 3 is four_of_five.",
        "of limits, two_of_three, four_of_five, run, range, ewma, cusum, trend, alternating, narrow, wide",
    )
    run: Literal["8", "9"] = _key("8", "How many values in a row on one side of the baseline signal.", "8 (Western Electric) or 9 (Nelson)")

    @field_validator("run", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) else value


class Phantoms(Section):
    """Which phantom tests are expected."""

    days: Annotated[tuple[str, ...], BeforeValidator(_rules)] = _key(
        (),
        "Phantom tests that are expected on days of the week: device, phantom, days. * stands for anything.",
        "texts such as MR1=acr_mri_large:mon-fri, separated by semicolons in the environment",
    )
    holidays: Annotated[tuple[date, ...], BeforeValidator(_listed)] = _key((), "Days on which no test is expected.", "dates as YYYY-MM-DD")

    @field_validator("days")
    @classmethod
    def _readable(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not RULE.fullmatch(one) for one in value):
            raise ValueError("no such rule")
        return value


class Run(Section):
    """How much is done at once."""

    batch_size: int = _key(10, "Studies that one batch takes.", "a whole number from 1 to 1000", "studies", ge=1, le=1000)
    scale: Literal["threads", "processes", "dask"] = _key(
        "threads", "What the batches of a run work in. dask needs the extra pacsqc[scale].", "threads, processes or dask"
    )
    dask: str = _key(
        "",
        "Address of a Dask scheduler whose workers check batches. Empty: a cluster on this machine.",
        "empty or tcp://HOST:PORT",
        pattern=r"^$|^(tcp|tls)://\S+$",
    )
    workers: int = _key(2, "Batches that are worked on at the same time.", "a whole number from 1 to 256", "batches", ge=1, le=256)
    lease_seconds: float = _key(
        600.0,
        "A study whose worker has not been heard of for so long goes to another one. Longer than the longest check of one study.",
        "a number from 1 to 86400",
        "s",
        ge=1,
        le=86400,
        allow_inf_nan=False,
    )


class Receiver(Section):
    """What is pushed to us: `pacsqc receive`."""

    title: str = _key("PACSQC", "Our AE title.", "1 to 16 characters", min_length=1, max_length=16)
    host: str = _key("127.0.0.1", "Address that is listened at; 0.0.0.0: every one of this machine.", "an address of this machine")
    port: int = _key(11112, "Port that is listened at.", "a whole number from 1 to 65535", "port", ge=1, le=65535)
    folder: Path | None = _key(None, "Where what came is kept. Empty: received in the data folder.", "a folder", "path")
    callers: Annotated[tuple[str, ...], BeforeValidator(_listed)] = _key(
        (), "AE titles that may send; who else tries is refused, and `pacsqc ping` and the report say so. Empty: everybody.", "AE titles"
    )
    strict_title: bool = _key(False, "Refuse who calls us by another AE title.", "true or false", "yes/no")
    max_associations: int = _key(20, "Most senders at a time.", "a whole number from 1 to 1000", "associations", ge=1, le=1000)
    max_pdu: int = _key(
        0, "Longest message piece; 0: no limit, the fastest.", "a whole number from 0 to 1048576", "bytes", ge=0, le=1048576
    )
    least_free_mb: int = _key(
        1024,
        "Disk that stays free; below, senders are told to keep what they have.",
        "a whole number from 0 to 100000000",
        "MB",
        ge=0,
        le=100_000_000,
    )
    idle_seconds: float = _key(60.0, "A silent sender is hung up on after so long.", "a number from 1 to 86400", "s", ge=1, le=86400)
    quiet_seconds: float = _key(
        60.0, "A study is checked when nothing of it has arrived for so long.", "a number from 0 to 86400", "s", ge=0, le=86400
    )
    flush: Literal["each", "never"] = _key(
        "each",
        "Answer success when the instance is on the disk (each), or when the system has it (never: faster, not safe from a power cut).",
        "each or never",
    )
    certificate: Path | None = _key(None, "Our certificate; with it, only TLS is spoken.", "a PEM file", "path")
    key: Path | None = _key(None, "The key of our certificate.", "a PEM file", "path")
    trusted: Path | None = _key(None, "Certificates that senders must show one of. Empty: they need not.", "a PEM file", "path")
    modalities: Annotated[tuple[str, ...], BeforeValidator(_listed)] = _key(
        (), "Modalities that are checked. Empty: all.", "DICOM modalities such as CT, MR"
    )
    commitment: Annotated[tuple[str, ...], BeforeValidator(_listed)] = _key(
        (),
        "Where results of storage commitment go, by who asked. Who is not named is answered on the same association.",
        "texts such as SCANNER=host:port",
    )

    @field_validator("folder", "certificate", "key", "trusted", mode="before")
    @classmethod
    def _empty(cls, value: Any) -> Any:
        return value or None


class Upkeep(Section):
    """What is looked after every night."""

    keep_days: int = _key(
        30,
        "Fetched and received files of checked studies are deleted after so long; phantoms are kept. 0: never.",
        "a whole number from 0 to 36500",
        "d",
        ge=0,
        le=36500,
    )
    least_free_mb: int = _key(
        2048, "Less free disk than this is told of.", "a whole number from 0 to 100000000", "MB", ge=0, le=100_000_000
    )
    silent_factor: float = _key(
        1.5,
        "A device is silent when nothing came for so many times its habit: the pause between its days that 95 % do not exceed.",
        "a number from 1 to 100",
        "1",
        ge=1,
        le=100,
    )
    silent_least_days: int = _key(2, "And for at least so long.", "a whole number from 1 to 365", "d", ge=1, le=365)
    backup_folder: Path | None = _key(None, "Where the nightly backup goes. Empty: none is made.", "a folder", "path")
    backups_kept: int = _key(14, "So many backups are kept.", "a whole number from 1 to 1000", "files", ge=1, le=1000)

    @field_validator("backup_folder", mode="before")
    @classmethod
    def _empty(cls, value: Any) -> Any:
        return value or None


class Alerts(Section):
    """Who is told when something is wrong."""

    urls: SecretStr = _key(
        SecretStr(""),
        "Who is told of new failures, as apprise writes it (mail, chat, SMS ...), separated by blanks. Empty: nobody.",
        "e.g. mailtos://USER:PASSWORD@HOST?to=QA@HOST, ntfys://HOST/TOPIC, jsons://HOST/PATH",
        secret=True,
    )
    urls_fail: SecretStr = _key(
        SecretStr(""), "Who else is told of problems whose status is fail, e.g. by SMS. Empty: nobody.", "as alerts.urls", secret=True
    )
    urls_error: SecretStr = _key(
        SecretStr(""), "Who else is told of software errors, e.g. whoever maintains pacsqc. Empty: nobody.", "as alerts.urls", secret=True
    )
    urls_warn: SecretStr = _key(
        SecretStr(""), "Who else is told of warnings, drifting charts among them. Empty: nobody.", "as alerts.urls", secret=True
    )
    quiet_hours: str = _key(
        "", "Hours of the night in which messages wait, by the clock of the site. Empty: none.", "empty or e.g. 22:00-06:30"
    )
    quiet_days: Annotated[tuple[str, ...], BeforeValidator(_listed)] = _key(
        (), "Days on which messages wait from midnight to midnight.", "of mon, tue, wed, thu, fri, sat, sun"
    )
    quiet_breaks: Literal["", "fail", "error", "warn"] = _key(
        "fail", "The mildest status that is sent in quiet hours all the same. Empty: none is.", "empty, fail, error or warn"
    )
    link: str = _key(
        "",
        "Address under which the folder of reports is opened in the house; alerts link to the report there. Empty: no link.",
        "empty, https://HOST/PATH, http://HOST/PATH or file://PATH",
        pattern=r"^$|^(https?|file)://\S+$",
    )
    minimum: Literal["fail", "error", "warn"] = _key(
        "error",
        "The mildest status that is worth an alert; fail is worse than error (a fault of pacsqc), error than warn.",
        "fail, error or warn",
    )

    @field_validator("quiet_hours")
    @classmethod
    def _hours(cls, value: str) -> str:
        if value and not re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d-([01]?\d|2[0-3]):[0-5]\d", value.replace(" ", "")):
            raise ValueError("no hours")
        return value

    @field_validator("quiet_days")
    @classmethod
    def _days(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if set(value) - {"mon", "tue", "wed", "thu", "fri", "sat", "sun"}:
            raise ValueError("no day of the week")
        return value

    @field_validator("urls", "urls_fail", "urls_error", "urls_warn")
    @classmethod
    def _addresses(cls, value: SecretStr) -> SecretStr:
        if any("://" not in one for one in value.get_secret_value().split()):
            raise ValueError("not an address")
        return value


class Web(Section):
    """The review desk (`pacsqc web`)."""

    host: str = _key(
        "127.0.0.1", "Address that the desk listens on; the default is this machine alone.", "an address or a host name", min_length=1
    )
    port: int = _key(8700, "Port that the desk listens on; 0: any free one.", "a whole number from 0 to 65535", "TCP port", ge=0, le=65535)
    https: bool = _key(
        False,
        "Whether people reach the desk by https (through a reverse proxy); cookies then go over https only.",
        "true or false",
        "switch",
    )
    hosts: Annotated[tuple[str, ...], BeforeValidator(_listed)] = _key(
        (), "Names under which people reach the desk; others are refused. Empty: those of this machine if host is, else any.", "host names"
    )
    idle_minutes: int = _key(
        120, "Somebody who does nothing for so long is signed out.", "a whole number from 1 to 10080", "min", ge=1, le=10080
    )
    longest_hours: int = _key(12, "Everybody is signed out after so long.", "a whole number from 1 to 168", "h", ge=1, le=168)
    proxy_header: str = _key(
        "",
        "Header in which a reverse proxy that signs people in (e.g. with OpenID Connect) names the login. Empty: people sign in here.",
        "empty or e.g. X-Remote-User",
        pattern=r"^[A-Za-z0-9-]*$",
    )
    proxies: Annotated[tuple[str, ...], BeforeValidator(_listed)] = _key(
        ("127.0.0.1", "::1"),
        "Addresses of reverse proxies whose header is believed; nobody else may be able to send from them.",
        "addresses",
    )
    proxy_role: Literal["", "viewer", "technologist", "physicist"] = _key(
        "", "Role of people whom the proxy names and nobody has added. Empty: they are refused.", "empty, viewer, technologist or physicist"
    )
    open_metrics: bool = _key(False, "Whether /metrics (counts for Prometheus) answers without a token.", "true or false", "switch")
