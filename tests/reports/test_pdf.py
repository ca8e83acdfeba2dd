"""Blocks of a PDF: drawings stand where they should, pages are numbered, text is taken as text."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from reports_made import curve, picture

from reports import figures, pdf, words
from reports.pdf_drawing import Drawing


def painted(path: Path, dpi: int = 72) -> list[np.ndarray]:
    """Return the pages as arrays, one pixel a point."""
    if not shutil.which("pdftoppm"):
        pytest.skip("pdftoppm is not here")
    subprocess.run(["pdftoppm", "-r", str(dpi), "-png", path, path.with_suffix("")], check=True)
    return [np.asarray(Image.open(one).convert("RGB")).astype(int) for one in sorted(path.parent.glob(f"{path.stem}-*.png"))]


def is_red(page: np.ndarray) -> np.ndarray:
    return (page[..., 0] > 200) & (page[..., 1] < 60) & (page[..., 2] < 60)


def test_a_drawing_stands_where_its_numbers_say(tmp_path: Path) -> None:
    """A rectangle from (10, 20) of 30 x 40 in a drawing of 100 x 100 shown 200 points wide: 60 x 80 points, 20 in and 40 down."""
    svg = '<svg viewBox="0 0 100 100"><rect x="10" y="20" width="30" height="40" fill="#f00"/></svg>'
    pdf.write(tmp_path / "one.pdf", [Drawing(svg, 200)], "t", "f")
    (page,) = painted(tmp_path / "one.pdf")
    rows, columns = np.nonzero(is_red(page))
    assert rows.max() - rows.min() + 1 == pytest.approx(80, abs=1)
    assert columns.max() - columns.min() + 1 == pytest.approx(60, abs=1)
    assert columns.min() == pytest.approx(pdf.MARGIN + 20, abs=1)
    assert rows.min() == pytest.approx(12 * 72 / 25.4 + 40, abs=1)


@pytest.mark.parametrize(
    "shape",
    [
        '<path d="M20 20L80 20L80 80L20 80Z" fill="#f00"/>',
        '<path d="M20 20H80V80H20Z" fill="#f00"/>',
        '<path d="M20 50h60" stroke="#f00" stroke-width="60" fill="none"/>',
        '<line x1="20" y1="50" x2="80" y2="50" stroke="#f00" stroke-width="60"/>',
        '<rect x="20" y="20" width="60" height="60" fill="#f00"/>',
    ],
)
def test_ways_to_draw_one_square(tmp_path: Path, shape: str) -> None:
    pdf.write(tmp_path / "one.pdf", [Drawing(f'<svg viewBox="0 0 100 100">{shape}</svg>', 100)], "t", "f")
    (page,) = painted(tmp_path / "one.pdf")
    assert is_red(page).sum() == pytest.approx(60 * 60, rel=0.04)


def test_a_stroke_that_does_not_scale(tmp_path: Path) -> None:
    """Two drawings of one size on paper, one in units a hundred times as fine: the stroke is as wide in both."""
    line = '<line x1="{0}" y1="{1}" x2="{2}" y2="{1}" stroke="#f00" stroke-width="8" vector-effect="non-scaling-stroke"/>'
    areas = []
    for unit in (1, 100):
        svg = f'<svg viewBox="0 0 {100 * unit} {100 * unit}">{line.format(10 * unit, 50 * unit, 90 * unit)}</svg>'
        file = tmp_path / f"{unit}.pdf"
        pdf.write(file, [Drawing(svg, 200)], "t", "f")
        areas.append(is_red(painted(file, 144)[0]).sum())
    assert areas[0] == pytest.approx(areas[1], rel=0.03)
    assert areas[0] > 0


def test_what_is_not_understood_is_an_error() -> None:
    drawing = Drawing('<svg viewBox="0 0 10 10"><ellipse rx="3" ry="2"/></svg>', 100)
    with pytest.raises(KeyError, match="ellipse"):
        pdf.write(Path("/dev/null"), [drawing], "t", "f")


def test_everything_that_figures_draw_is_understood(tmp_path: Path) -> None:
    blocks = pdf.gallery([("a test", picture(), "more"), ("a test", picture(aspect=1.4), ""), ("another", curve(), "")])
    pdf.write(tmp_path / "figures.pdf", blocks, "t", "f")
    (page,) = painted(tmp_path / "figures.pdf")
    colours = {tuple(int(text[place : place + 2], 16) for place in (1, 3, 5)) for text, *_ in figures.ROLES.values()}
    for colour in colours:
        assert (np.abs(page - colour).max(-1) < 40).any(), f"no region of colour {colour}"


def test_pages_are_counted_and_every_page_has_the_title(tmp_path: Path) -> None:
    rows = [(f"row {number}", "x" * 40, number) for number in range(120)]
    file = tmp_path / "long.pdf"
    pdf.write(file, [pdf.table(("A", "B", "C"), rows, (1, 2, 1), (2,))], "The title", "foot")
    pages = len(re.findall(rb"/Type /Page\b", file.read_bytes()))
    assert pages > 1
    if not shutil.which("pdftotext"):
        pytest.skip("pdftotext is not here")
    text = subprocess.run(["pdftotext", file, "-"], capture_output=True, check=True, text=True).stdout
    for number in range(1, pages + 1):
        assert f"page {number} of {pages}" in text
    assert text.count("The title") == pages
    assert all(f"row {number}\n" in text for number in range(120)), "no row is lost between pages"


def test_text_is_text(tmp_path: Path) -> None:
    text = "5 < 6 & <b>not bold</b> µ ± Ω Привет"
    file = tmp_path / "text.pdf"
    pdf.write(file, [pdf.text(text), pdf.facts([("name <i>", text), ("left out", "")]), pdf.verdict("fail", text, [text])], "t", "f")
    if not shutil.which("pdftotext"):
        pytest.skip("pdftotext is not here")
    out = subprocess.run(["pdftotext", file, "-"], capture_output=True, check=True, text=True).stdout
    assert out.count(text) == 4
    assert "left out" not in out


def test_every_status_has_its_sign_in_the_font(tmp_path: Path) -> None:
    """A sign that the font lacks would be an empty box on paper."""
    from reportlab.pdfbase import pdfmetrics

    pdf.write(tmp_path / "badges.pdf", [pdf.Badge(status) for status in words.STATUS], "t", "f")
    for name in ("PacsqcBody", "PacsqcBold"):
        known = pdfmetrics.getFont(name).face.charToGlyph
        for said in words.STATUS.values():
            assert all(ord(letter) in known for letter in said.symbol + said.word), said
