"""Raw header text to plain values. What is legal comes from PS3.5 section 6.2; pydicom and datetime are the independent readers."""

import datetime as dt
import math
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydicom.valuerep import format_number_as_ds

from qc.values import encodings, is_age, is_date, is_time, plain


def text(vr, value):
    return plain(vr, value.encode("latin-1"), True, ["iso8859"])


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1.5", 1.5),
        (" 12 ", 12.0),
        ("-1.5E-3", -0.0015),
        (".5", 0.5),
        ("5.", 5.0),
        ("0.5\\0.25", (0.5, 0.25)),
        ("1\\\\3", (1.0, None, 3.0)),
        ("", None),
        (" \0", None),
    ],
)
def test_decimal_strings(written, value):
    assert text("DS", written) == (value, None)


@pytest.mark.parametrize("written", ["0,143\\0,143", "1e400", "NaN", "inf", "12 mm", "1.2.3", "0x10", "--1", "1_000", "1" * 65])
def test_what_is_no_decimal_is_said_and_not_guessed(written):
    assert text("DS", written) == (None, written)


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e99, max_value=1e99))
def test_decimal_strings_as_pydicom_writes_them(number):
    written = format_number_as_ds(number)
    assert text("DS", written) == (float(written), None)


@pytest.mark.parametrize(
    ("written", "value", "bad"),
    [("7", 7, None), ("-3\\4", (-3, 4), None), ("3.0", 3, None), ("3.5", None, "3.5"), ("1A", None, "1A"), ("1e400", None, "1e400")],
)
def test_integer_strings(written, value, bad):
    assert text("IS", written) == (value, bad)


@given(st.one_of(st.from_regex(r"[0-9]{8}", fullmatch=True), st.dates().map(lambda day: day.strftime("%Y%m%d").zfill(8))))
@example("20230229")
@example("20240229")
@example("19000229")
@example("20000229")
def test_dates_are_those_of_the_calendar(written):
    try:
        dt.datetime.strptime(written, "%Y%m%d")
        real = True
    except ValueError:
        real = False
    assert is_date(written) is real


@pytest.mark.parametrize(
    ("written", "legal"), [("2025.03.11", True), ("00/00/0000", False), ("2025-03-11", False), ("202503", False), ("2025031", False)]
)
def test_dates_written_otherwise(written, legal):
    assert is_date(written) is legal
    assert text("DA", written) == ((written, None) if legal else (None, written))


@pytest.mark.parametrize("written", ["12", "1221", "122130", "122130.5", "122131.00", "000000.000000", "235960", "12:21:30"])
def test_times_may_stop_at_any_component(written):
    assert is_time(written)


@pytest.mark.parametrize("written", ["1", "24", "126", "1260", "122161", "122130.", "122130.1234567", "noon", "-1"])
def test_times_that_cannot_be(written):
    assert not is_time(written)
    assert text("TM", written) == (None, written)


@pytest.mark.parametrize(
    ("written", "legal"), [("042Y", True), ("001D", True), ("018M", True), ("42", False), ("0Y", False), ("042X", False)]
)
def test_ages(written, legal):
    assert is_age(written) is legal


def test_japanese_name_of_the_standard():
    """PS3.5 annex H.3.1: the three spellings of Yamada Tarou."""
    codecs, unknown = encodings(b"\\ISO 2022 IR 87")
    raw = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"
    assert unknown is None
    assert plain("PN", raw, True, codecs) == ("Yamada^Tarou=山田^太郎=やまだ^たろう", None)


@pytest.mark.parametrize(
    ("raw", "unknown"), [(b"ISO_IR 100", None), (b"", None), (None, None), (b"ISO 2022 IR 6, IS ", "ISO 2022 IR 6, IS")]
)
def test_character_sets(raw, unknown):
    assert encodings(raw)[1] == unknown


@pytest.mark.parametrize(
    ("vr", "raw", "value"),
    [
        ("US", b"\x01\x02", 0x0201),
        ("SS", b"\xff\xff", -1),
        ("UL", b"\1\0\0\0\2\0\0\0", (1, 2)),
        ("FD", struct.pack("<d", 0.1), 0.1),
        ("US", b"", None),
    ],
)
def test_binary_numbers(vr, raw, value):
    assert plain(vr, raw, True, ["iso8859"]) == (value, None)


def test_binary_numbers_of_the_other_byte_order():
    assert plain("US", b"\x01\x02", False, ["iso8859"])[0] == 0x0102


@pytest.mark.parametrize(
    ("vr", "raw"), [("US", b"\1"), ("UL", b"\1\0\0"), ("FD", struct.pack("<d", math.nan)), ("FL", struct.pack("<f", math.inf))]
)
def test_binary_numbers_that_are_none(vr, raw):
    value, bad = plain(vr, raw, True, ["iso8859"])
    assert value is None
    assert bad
