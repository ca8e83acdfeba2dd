"""Blocks of a PDF report: the frame of a page, headings, tables, the verdict, pictures, lines to sign on.

Every report is a list of blocks that `write` lays out on A4, with its title and "page x of y" on every page. Text given to a block is
plain text: it is escaped here, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, CondPageBreak, Flowable, Frame, KeepTogether, PageTemplate, Paragraph, Spacer, Table

from qc.results import Evidence, ImageEvidence
from reports import figures, words
from reports.pdf_drawing import Drawing
from reports.pdf_fonts import BODY, BOLD, register

if TYPE_CHECKING:
    from reports.trend_section import Trends

MARGIN = 15 * mm
WIDTH = A4[0] - 2 * MARGIN  # points between the margins
INK, SOFT, LINE, GROUND = (colors.HexColor(one) for one in ("#1a1f24", "#4d5762", "#c9d0d6", "#f4f6f8"))
# status -> colour of letters and frame, ground; the same as on the pages (daily.css)
COLOURS = {
    "fail": ("#8f1414", "#fdeceb"), "error": ("#5f1a86", "#f6edfb"), "warn": ("#704400", "#fff3dc"), "not_evaluable": ("#37424c", "#e9edf0"),
    "nothing": ("#37424c", "#e9edf0"), "info": ("#0b4a8f", "#e8f1fb"), "pass": ("#17571b", "#e7f4e8"),
}  # fmt: skip

register()
TEXT = ParagraphStyle("text", fontName=BODY, fontSize=8.6, leading=11.2, textColor=INK, spaceAfter=3, splitLongWords=1)
SMALL = ParagraphStyle("small", parent=TEXT, fontSize=7.3, leading=9.2, textColor=SOFT, spaceAfter=2)
CELL = ParagraphStyle("cell", parent=TEXT, fontSize=7.6, leading=9.4, spaceAfter=0)
HEAD = ParagraphStyle("head", parent=CELL, fontName=BOLD)
NUMBER = ParagraphStyle("number", parent=CELL, alignment=2)
TITLE = ParagraphStyle("title", parent=TEXT, fontName=BOLD, fontSize=16, leading=20, spaceAfter=2)
PART = ParagraphStyle("part", parent=TEXT, fontName=BOLD, fontSize=11.5, leading=15, spaceBefore=9, spaceAfter=3)
SUBPART = ParagraphStyle("subpart", parent=TEXT, fontName=BOLD, fontSize=9, leading=12, spaceBefore=6, spaceAfter=2)
Block = Flowable


class _Counted(Canvas):  # type: ignore[misc]  # reportlab has no types
    """Holds the pages back until their number is known."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pages: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802  # name of reportlab
        """Keep the page."""
        self._pages.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        """Number the pages and write them."""
        for page in self._pages:
            self.__dict__.update(page)
            self.setFont(BODY, 7.3)
            self.setFillColor(SOFT)
            self.drawRightString(A4[0] - MARGIN, 8.5 * mm, f"page {self._pageNumber} of {len(self._pages)}")
            super().showPage()
        super().save()


def write(path: Path, blocks: Sequence[Block], title: str, foot: str) -> None:
    """Lay the blocks out on pages and write the file.

    Parameters
    ----------
    title
        Of the document; stands on every page.
    foot
        What else stands at the foot of every page: site, date of writing.
    """

    def decorate(canvas: Any, _document: Any) -> None:
        canvas.saveState()
        canvas.setFont(BODY, 7.3)
        canvas.setFillColor(SOFT)
        canvas.setStrokeColor(LINE)
        canvas.line(MARGIN, 12.5 * mm, A4[0] - MARGIN, 12.5 * mm)
        canvas.drawString(MARGIN, 8.5 * mm, _cut(f"{title}  ·  {foot}" if foot else title, WIDTH - 25 * mm, 7.3))
        canvas.restoreState()

    document = BaseDocTemplate(
        str(path), pagesize=A4, title=title, author="", creator="pacsqc", subject="Image quality control", lang="en", initialFontName=BODY
    )
    frame = Frame(MARGIN, 14 * mm, WIDTH, A4[1] - 26 * mm, leftPadding=0, rightPadding=0, topPadding=0, bottomPadding=0)
    document.addPageTemplates([PageTemplate("page", [frame], onPage=decorate)])
    document.build(list(blocks), canvasmaker=_Counted)


def _cut(text: str, width: float, size: float) -> str:
    if stringWidth(text, BODY, size) <= width:
        return text
    while text and stringWidth(text + "…", BODY, size) > width:
        text = text[:-1]
    return text + "…"


# -- text -------------------------------------------------------------------------------------------------------


def text(content: object, style: ParagraphStyle = TEXT) -> Block:
    """Return a paragraph of plain text."""
    return Paragraph(escape(str(content)), style)


def spans(parts: Iterable[tuple[object, bool]], style: ParagraphStyle = TEXT) -> Block:
    """Return a paragraph of pieces of plain text, each bold or not."""
    return Paragraph(" ".join(f"<b>{escape(str(one))}</b>" if bold else escape(str(one)) for one, bold in parts), style)


def heading(content: str, needed_mm: float = 32.0) -> list[Block]:
    """Return the heading of a part, with room for so much below it on the page."""
    rule = Table([[text(content, PART)]], colWidths=[WIDTH], style=[("LINEBELOW", (0, 0), (-1, -1), 1.2, LINE), *_padding(0, 1)])
    return [CondPageBreak(needed_mm * mm), Spacer(0, 5), rule, Spacer(0, 3)]


def subheading(content: str, needed_mm: float = 22.0) -> list[Block]:
    """Return a small heading with room for so much below it."""
    return [CondPageBreak(needed_mm * mm), text(content, SUBPART)]


def keep(*blocks: Block) -> list[Block]:
    """Return blocks that stand together, with room for more below them."""
    return [CondPageBreak(45 * mm), KeepTogether(list(blocks))]


def beside(left: Block, right: Block) -> Block:
    """Return two blocks in one line, the left one as wide as a status."""
    style = [*_padding(0, 1), ("VALIGN", (0, 0), (-1, -1), "MIDDLE")]
    return Table([[left, right]], colWidths=[28 * mm, WIDTH - 28 * mm], style=style)


def gap(height_mm: float) -> Block:
    """Return empty space."""
    return Spacer(0, height_mm * mm)


def _padding(across: float, down: float) -> list[tuple[Any, ...]]:
    everywhere = (0, 0), (-1, -1)
    return [
        ("LEFTPADDING", *everywhere, across), ("RIGHTPADDING", *everywhere, across), ("TOPPADDING", *everywhere, down),
        ("BOTTOMPADDING", *everywhere, down),
    ]  # fmt: skip


# -- status -----------------------------------------------------------------------------------------------------


class Badge(Flowable):  # type: ignore[misc]  # reportlab has no types
    """A status: symbol, word, and only then colour."""

    def __init__(self, status: str, size: float = 7.4) -> None:
        super().__init__()
        said = words.STATUS[status]
        self._text, self._size = f"{said.symbol} {said.word}", size
        self._colour, self._ground = (colors.HexColor(one) for one in COLOURS[status])
        self.width, self.height = stringWidth(self._text, BOLD, size) + 8, size + 4

    def wrap(self, _width: float, _height: float) -> tuple[float, float]:
        """Return the size."""
        return self.width, self.height

    def draw(self) -> None:
        """Draw on the page."""
        self.canv.setStrokeColor(self._colour)
        self.canv.setFillColor(self._ground)
        self.canv.setLineWidth(0.8)
        self.canv.roundRect(0, 0, self.width, self.height, 2, stroke=1, fill=1)
        self.canv.setFillColor(self._colour)
        self.canv.setFont(BOLD, self._size)
        self.canv.drawString(4, 3, self._text)


def verdict(status: str, headline: str, lines: Sequence[str] = (), size: float = 12) -> Block:
    """Return the box that says how it is, in one sentence, with lines below it."""
    symbol = words.STATUS[status].symbol if status in words.STATUS else "○"
    colour, ground = (colors.HexColor(one) for one in COLOURS[status])
    big = ParagraphStyle("big", parent=TEXT, fontName=BOLD, fontSize=size, leading=1.25 * size, textColor=colour)
    cells = [[text(f"{symbol} {headline}", big)], *([text(line)] for line in lines)]
    style = [("BACKGROUND", (0, 0), (-1, -1), ground), ("LINEBEFORE", (0, 0), (0, -1), 6, colour, "butt"), *_padding(10, 2)]
    return Table(cells, colWidths=[WIDTH], style=[*style, ("TOPPADDING", (0, 0), (-1, 0), 5), ("BOTTOMPADDING", (0, -1), (-1, -1), 5)])


def tiles(counts: Sequence[tuple[str, int]]) -> Block:
    """Return how many have each status, side by side."""
    style = [("INNERGRID", (0, 0), (-1, -1), 3, colors.white), *_padding(5, 3), ("VALIGN", (0, 0), (-1, -1), "TOP")]
    cells = []
    for place, (status, number) in enumerate(counts):
        said, (colour, ground) = words.STATUS[status], (colors.HexColor(one) for one in COLOURS[status])
        shade = colour if number else SOFT
        big = ParagraphStyle("tile", parent=TEXT, fontName=BOLD, fontSize=11, leading=13, textColor=shade, spaceAfter=0)
        cells.append([text(f"{said.symbol} {number}", big), text(said.word, ParagraphStyle("of", parent=SMALL, textColor=shade))])
        style.append(("BACKGROUND", (place, 0), (place, 0), ground if number else GROUND))
    return Table([cells], colWidths=[WIDTH / len(cells)] * len(cells), style=style)


# -- tables -----------------------------------------------------------------------------------------------------


def table(head: Sequence[str], rows: Iterable[Sequence[object]], widths: Sequence[float], numbers: Sequence[int] = ()) -> Block:
    """Return a table that repeats its head on every page and does not cut a row.

    Parameters
    ----------
    rows
        Cells are plain text, or a block or list of blocks.
    widths
        Shares of the width.
    numbers
        Columns that are set to the right.
    """
    total = sum(widths)
    cells = [[text(one, ParagraphStyle("h", parent=HEAD, alignment=2 if place in numbers else 0)) for place, one in enumerate(head)]]
    for row in rows:
        cells.append([_cell(one, NUMBER if place in numbers else CELL) for place, one in enumerate(row)])
    style = [
        ("BACKGROUND", (0, 0), (-1, 0), GROUND), ("LINEBELOW", (0, 0), (-1, -1), 0.5, LINE), ("VALIGN", (0, 0), (-1, -1), "TOP"),
        *_padding(3, 2.2),
    ]  # fmt: skip
    return Table(cells, colWidths=[WIDTH * one / total for one in widths], repeatRows=1, style=style, splitInRow=0)


def facts(pairs: Iterable[tuple[str, object]], name_share: float = 0.2) -> Block:
    """Return what is known, a line each: name and value. Empty values are left out."""
    cells = [[text(name, HEAD), _cell(value, CELL)] for name, value in pairs if value not in ("", None)]
    style = [("LINEBELOW", (0, 0), (-1, -1), 0.5, LINE), ("VALIGN", (0, 0), (-1, -1), "TOP"), *_padding(3, 2.2)]
    return Table(cells, colWidths=[WIDTH * name_share, WIDTH * (1 - name_share)], style=style)


def _cell(content: object, style: ParagraphStyle) -> object:
    if isinstance(content, (Flowable, list)):
        return content
    return text("" if content is None else content, style)


def signatures(roles: Sequence[str]) -> Block:
    """Return lines to sign on, one for each role, with name, signature and date."""
    rows = [[text(role, HEAD), "", "", "", "", ""] for role in roles]
    labels = ["", text("name", SMALL), "", text("signature", SMALL), "", text("date", SMALL)]
    cells = [line for row in rows for line in (row, labels)]
    style: list[tuple[Any, ...]] = [("VALIGN", (0, 0), (-1, -1), "BOTTOM"), *_padding(2, 1)]
    for place in range(0, len(cells), 2):
        style += [("LINEBELOW", (column, place), (column, place), 0.8, INK) for column in (1, 3, 5)]
    widths = [WIDTH * one for one in (0.16, 0.31, 0.02, 0.31, 0.02, 0.18)]
    return KeepTogether([Table(cells, colWidths=widths, rowHeights=[11 * mm, 4.5 * mm] * len(rows), style=style)])


# -- pictures ---------------------------------------------------------------------------------------------------


def figure(evidence: Evidence, width: float, extra: str = "") -> list[Block]:
    """Return a picture or curve with its title, caption, what its lines mean, and what else is to be said of it."""
    blocks: list[Block] = [Drawing(figures.drawing(evidence), width, width), Spacer(0, 2)]
    blocks.append(spans([(evidence.title, True), (evidence.caption, False)], SMALL))
    if extra:
        blocks.append(text(extra, SMALL))
    keys = [[Drawing(drawn, 18), text(words, SMALL)] for drawn, words in figures.keys(evidence)]
    if keys:
        blocks.append(
            Table(keys, colWidths=[22, width - 22], style=[*_padding(0, 0), ("VALIGN", (0, 0), (-1, -1), "MIDDLE")], hAlign="LEFT")
        )
    shown = figures.window(evidence)
    return [*blocks, text(shown, SMALL)] if shown else blocks


def gallery(some: Sequence[tuple[str, Evidence, str]]) -> list[Block]:
    """Return pictures in rows as they come: a picture takes a third of the width, a curve a half.

    Parameters
    ----------
    some
        (name of the test or nothing, picture, what else is to be said of it). A name stands where it is new.
    """
    rows: list[list[tuple[float, list[Block]]]] = []
    last = ""
    for test, evidence, extra in some:
        share = 1 / 3 if isinstance(evidence, ImageEvidence) else 1 / 2
        blocks = figure(evidence, WIDTH * share - 10, extra)
        if test:
            name = test if test != last else "\u00a0"
            blocks.insert(0, text(name, ParagraphStyle("test", parent=SMALL, fontName=BOLD, textColor=INK)))
        if not rows or sum(one for one, _ in rows[-1]) + share > 1.001:
            rows.append([])
        rows[-1].append((share, blocks))
        last = test
    style = [("VALIGN", (0, 0), (-1, -1), "TOP"), *_padding(0, 3), ("RIGHTPADDING", (0, 0), (-1, -1), 10)]
    return [
        Table([[blocks for _, blocks in row]], colWidths=[WIDTH * share for share, _ in row], style=style, hAlign="LEFT") for row in rows
    ]


def trends(found: Trends) -> list[Block]:
    """Return what control charts say: the alarms and signals that are drawn, the others in words."""
    counts = found.counts
    parts = [f"{counts['alarm']} in alarm", f"{counts['signal']} with a signal", f"{counts['steady']} in control"]
    parts += [f"{counts['no_baseline']} without a baseline"] if counts["no_baseline"] else []
    blocks: list[Block] = [text(f"{words.count(found.total, 'chart')}: {', '.join(parts)}.")]
    for sign, some in (("▲", found.alarms), ("", found.signals)):
        for one in some:
            if one.figure:
                blocks.append(
                    KeepTogether(
                        [Drawing(one.figure, 0.92 * WIDTH), spans([(f"{sign} {one.title}.", True), (one.trend.why, False)], SMALL)]
                    )
                )
            else:
                blocks.append(spans([(f"{sign} {one.title}.", True), (one.trend.why, False)]))
    return blocks


def charts(some: Sequence[str], columns: int = 2) -> list[Block]:
    """Return drawings (``<svg>``) side by side."""
    rows = []
    for start in range(0, len(some), columns):
        row: list[object] = [Drawing(one, WIDTH / columns - 8) for one in some[start : start + columns]]
        rows.append(row + [""] * (columns - len(row)))
    return [Table([row], colWidths=[WIDTH / columns] * columns, style=_padding(0, 2)) for row in rows]
