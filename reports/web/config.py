"""What whoever starts the desk decides."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from reports.due import Rule

Names = Callable[[str], list[tuple[str, str]]]  # hash of a patient -> (name, patient ID) as the headers spell them
Headers = Callable[[str], list[tuple[str, list[tuple[str, str]]]]]  # study UID -> (series UID, (attribute, value)) without identifiers


@dataclass(frozen=True)
class ByHandTest:
    """A phantom test with what may be set by hand in it: names of parameters, and what they mean."""

    check: str
    title: str
    settable: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Asked:
    """Somebody asks to measure a study again.

    Attributes
    ----------
    texts
        Of the form TEST.WHAT=VALUE; none: without what was set by hand before.
    again
        Whether automatic runs of the device go on so.
    """

    study_uid: str
    device_id: int | None
    texts: tuple[str, ...]
    who: str
    why: str
    again: bool


@dataclass(frozen=True)
class ByHandDoor:
    """How the desk has phantoms measured again.

    Attributes
    ----------
    tests
        Classes of the series of a study -> the tests in which something may be set.
    measure
        Keep what is asked and measure; False where it is kept and waits for the next run.
    """

    tests: Callable[[Collection[str]], list[ByHandTest]]
    measure: Callable[[Asked], bool]


@dataclass(frozen=True)
class Config:
    """How the desk is run.

    Attributes
    ----------
    secure
        Cookies go over https only.
    hosts
        Names and addresses under which it is asked for; others are refused. Empty: any.
    proxy_header
        Header in which a trusted reverse proxy names the person; empty: none does.
    proxies
        Addresses whose `proxy_header` is believed.
    proxy_role
        Role of people whom the proxy names and nobody has added; empty: they are refused.
    open_metrics
        Whether /metrics answers without a token.
    first_secret
        Opens the page for the first person; only known to whoever started the desk.
    holidays
        Days on which no test is asked for.
    rules
        Which phantom tests are expected on which days.
    settings
        Rows of the settings in effect, secrets masked.
    names, headers
        Ask the images; None: they cannot be asked.
    by_hand
        Measures phantoms again; None: the desk cannot.
    """

    site: str = ""
    secure: bool = False
    idle: timedelta = timedelta(hours=2)
    longest: timedelta = timedelta(hours=12)
    hosts: tuple[str, ...] = ()
    proxy_header: str = ""
    proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    proxy_role: str = ""
    open_metrics: bool = False
    first_secret: str = ""
    holidays: frozenset[date] = frozenset()
    rules: Sequence[Rule] = ()
    settings: Sequence[dict[str, Any]] = field(default_factory=list)
    names: Names | None = None
    headers: Headers | None = None
    by_hand: ByHandDoor | None = None
