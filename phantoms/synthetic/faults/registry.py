"""What a fault is, and the table of all of them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from numpy.random import Generator
from pydicom.dataset import Dataset

Files = list[Dataset | bytes]
Injector = Callable[[Files, Generator], Files]
Condition = Callable[[Sequence[Dataset | bytes]], bool]


@dataclass(frozen=True)
class Fault:
    """One way to break a study.

    Attributes
    ----------
    name
        Key in `FAULTS`.
    finding_code, status
        What a check must answer; both None where it answers with no finding.
    inject
        Breaks a list of data sets that it may change, and gives the list back.
    applies
        Tells whether the fault can be made in these data sets.
    visible
        False: no check of the study alone can see it.
    meaning
        One sentence.
    implemented
        False: the check that must find it does not exist yet.
    topic
        Which module declares it: ``slices``, ``stacks``, ``pixels``, ``headers``, ``relations``, ``identity``, ``history`` or ``files``.
    words
        How people call it: phrases whose words all begin a word of the text (``miss slice`` stands in "a slice is missing").
    also
        Codes of warnings that come along by right.
    skipped
        Reason code under which a file is listed as skipped, for faults that cost a file and give no finding.
    """

    name: str
    finding_code: str | None
    status: str | None
    inject: Injector
    applies: Condition
    visible: bool = True
    meaning: str = ""
    implemented: bool = True
    topic: str = ""
    words: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    skipped: str | None = None


FAULTS: dict[str, Fault] = {}


def inject(name: str, datasets: Sequence[Dataset | bytes], rng: Generator) -> Files:
    """Give a broken copy of a study.

    Parameters
    ----------
    name
        Key of `FAULTS`.
    datasets
        The study; not changed.
    rng
        Chooses which image is hit.
    """
    fault = FAULTS[name]
    if not fault.applies(datasets):
        raise ValueError(f"the fault {name} cannot be made in these data sets")
    return fault.inject([copy.deepcopy(dataset) for dataset in datasets], rng)


def fault(
    code: str | None,
    status: str | None,
    applies: Condition,
    visible: bool = True,
    *,
    implemented: bool = True,
    words: Sequence[str] = (),
    also: Sequence[str] = (),
    skipped: str | None = None,
) -> Callable[[Injector], Injector]:
    """Enter a function as a fault under its own name; its first line says what the fault means. Parameters as in `Fault`."""

    def enter(function: Injector) -> Injector:
        name, meaning = function.__name__, (function.__doc__ or "").strip().splitlines()[0]
        if name in FAULTS:
            raise ValueError(f"two faults are called {name}")
        topic = function.__module__.rpartition(".")[2]
        entry = Fault(name, code, status, function, applies, visible, meaning, implemented, topic, tuple(words), tuple(also), skipped)
        FAULTS[name] = entry
        return function

    return enter
