"""Frames as CSV and XLSX: full precision, and nothing that a spreadsheet would take for a formula."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qc.errors import ConfigurationError

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_LONGEST = 32_000  # characters; a spreadsheet cell holds 32 767


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame as UTF-8 CSV. Text that begins like a formula gets an apostrophe in front."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_columns(frame))
        for row in _rows(frame):
            writer.writerow(["" if cell is None else _harmless(cell) for cell in row])


def write_xlsx(frames: Mapping[str, pd.DataFrame], path: Path) -> None:
    """Write frames as the sheets of one workbook."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font

    book = Workbook(write_only=True)
    for name, frame in frames.items():
        sheet = book.create_sheet(name)
        sheet.freeze_panes = "A2"
        columns = _columns(frame)
        for place, column in enumerate(columns):
            sheet.column_dimensions[_letter(place)].width = 48 if column in ("message", "advice", "details") else max(11, len(column) + 3)
        sheet.auto_filter.ref = f"A1:{_letter(len(columns) - 1)}{len(frame) + 1}"
        head = []
        for column in columns:
            cell = WriteOnlyCell(sheet, value=column)
            cell.font = Font(bold=True)
            head.append(cell)
        sheet.append(head)
        for row in _rows(frame):
            sheet.append([_cell(WriteOnlyCell, sheet, value) for value in row])
    book.save(path)


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame as Parquet: whole numbers, decimals, dates and texts keep their kinds.

    Raises
    ------
    ConfigurationError
        If the library for it is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ConfigurationError("Parquet files need pyarrow, which is not installed: install pacsqc[parquet]") from error
    columns = {name: pa.array([_kept(value) for value in frame[name].tolist()]) for name in _columns(frame)}
    pq.write_table(pa.table(columns), path)


def _kept(value: Any) -> Any:
    """Return a value as Parquet keeps it; what has a structure of its own as JSON."""
    return value if isinstance(value, (date, datetime)) and type(value).__name__ != "NaTType" else _plain(value)


def _cell(make: Any, sheet: Any, value: Any) -> Any:
    """Return a value as a cell; a text that a spreadsheet would take for a formula or an error is marked as text, the others need no cell."""
    if not isinstance(value, str):
        return value
    text = _CONTROL.sub("", value)[:_LONGEST]
    if not text.startswith(("=", "#")):
        return text
    cell = make(sheet, value=text)
    cell.data_type = "s"
    return cell


def _columns(frame: pd.DataFrame) -> list[str]:
    # a number in the database means nothing to a reader
    return [name for name in frame.columns if name not in ("id", "evidence", "device_id")]


def _rows(frame: pd.DataFrame) -> Iterator[list[Any]]:
    """Yield the rows as plain values; None where there is none."""
    columns = [[_plain(value) for value in frame[name].tolist()] for name in _columns(frame)]
    yield from (list(row) for row in zip(*columns, strict=True))


def _plain(value: Any) -> Any:
    if value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False) if value else None
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return value.isoformat() if isinstance(value, date) else value


def _harmless(cell: Any) -> Any:
    if isinstance(cell, float):
        return repr(cell)
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _letter(place: int) -> str:
    from openpyxl.utils import get_column_letter

    return str(get_column_letter(place + 1))
