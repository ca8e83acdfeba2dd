"""The letters of a PDF. They are embedded, so that a page looks the same everywhere, signs of the statuses included."""

from __future__ import annotations

from functools import cache
from importlib import resources

BODY, BOLD = "PacsqcBody", "PacsqcBold"
_FILES = {BODY: "DejaVuSansCondensed.ttf", BOLD: "DejaVuSansCondensed-Bold.ttf"}


@cache
def register() -> None:
    """Make the fonts known to reportlab, once a process."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    for name, file in _FILES.items():
        with resources.as_file(resources.files("reports").joinpath("fonts", file)) as path:
            pdfmetrics.registerFont(TTFont(name, str(path)))
    pdfmetrics.registerFontFamily(BODY, normal=BODY, bold=BOLD, italic=BODY, boldItalic=BOLD)
