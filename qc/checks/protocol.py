"""Series against their protocols, from a file that the hospital wrote or `pacsqc protocol learn` made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from qc.check import Applies, Example, check
from qc.criteria import configured
from qc.protocol import ProtocolSet, rows_of
from qc.protocol_audit import CODES, findings, vertical
from qc.protocol_file import from_toml
from qc.results import Result
from qc.study import Series, Study


@lru_cache(maxsize=16)
def _parsed(text: str, name: str) -> ProtocolSet:
    return from_toml(text, name)


def read(file: str) -> ProtocolSet:
    """Return the protocols of a file; none where no file is named. A file that changed is read again."""
    return _parsed(configured(file, "protocols"), Path(file).name) if file else ProtocolSet()


@dataclass(frozen=True)
class ProtocolParameters:
    """Parameters.

    Attributes
    ----------
    file
        TOML file with protocols (`qc.protocol_file` says how it is written); empty: nothing is compared.
    site
        Name of the site, as the protocols spell it.
    """

    file: str = ""
    site: str = ""

    def __post_init__(self) -> None:
        read(self.file)  # a wrong file refuses to start


@check(
    id="protocol",
    version=1,
    title="Series acquired by its protocol",
    level="series",
    needs="headers",
    applies=Applies(not_classes=frozenset({"not_image", "localizer", "screenshot"})),
    codes={code: CODES[code] for code in ("protocol.deviates", "protocol.images")},
    params=ProtocolParameters,
    source="protocol book of the site; tolerances in qc/standard/protocol.toml",
    invariances=("file_order",),
    examples=(Example("mr_brain"),),
)
def by_protocol(series: Series, params: ProtocolParameters) -> Iterator[Result]:
    """Compare each echo of a series with the reference of its site, scanner and protocol; a parameter the series does not tell is unknown.

    A protocol that the file does not name gives nothing.
    """
    known = read(params.file)
    if known.protocols:
        yield from findings(rows_of(series, params.site), known)


@check(
    id="protocol.vertical",
    version=1,
    title="Series of a study fit together",
    level="study",
    needs="headers",
    codes={"protocol.vertical": CODES["protocol.vertical"]},
    params=ProtocolParameters,
    source="protocol book of the site",
    invariances=("file_order", "duplicate_input"),
    examples=(Example("mr_brain"),),
)
def fit_together(study: Study, params: ProtocolParameters) -> Iterator[Result]:
    """Compare the series that a rule ``[[vertical]]`` of the protocol file names with the first of them."""
    known = read(params.file)
    if known.vertical:
        series = sorted(
            (one for one in study.series if one.klass != "not_image"), key=lambda one: (one.first("SeriesNumber") or 0, one.uid)
        )
        yield from vertical((row for one in series for row in rows_of(one, params.site)), known)
