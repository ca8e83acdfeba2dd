"""Draw our own SVG in a PDF: whatever `reports.figures` and its like draw looks the same on a page and on paper.

Only what those modules write is understood: svg, rect, line, path (M L H V Z h m l), circle, text and image. Anything else is an error,
so that nothing is left out without a word.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from reportlab.lib import colors
from reportlab.lib.utils import ImageReader
from reportlab.platypus import Flowable

from reports.pdf_fonts import BODY, BOLD

SCREEN = 0.62  # points of a screen pixel, for strokes that do not scale
_TOKEN = re.compile(r"[MLHVZhml]|-?(?:\d+\.?\d*|\.\d+)")
_NO_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ARGUMENTS = {"M": 2, "L": 2, "H": 1, "V": 1, "h": 1, "m": 2, "l": 2, "Z": 0}


class Drawing(Flowable):  # type: ignore[misc]  # reportlab has no types
    """An ``<svg>``, or the one in a ``<figure>``, as a block of a page.

    Parameters
    ----------
    markup
        As `reports.figures` writes it.
    width
        Points. The height follows; where it would exceed `most_height`, both shrink.
    """

    def __init__(self, markup: str, width: float, most_height: float = 1e9) -> None:
        super().__init__()
        root = ElementTree.fromstring(_NO_XML.sub("", markup))
        self._root = root if root.tag == "svg" else root.find("svg")
        if self._root is None:
            raise ValueError("there is no drawing in the markup")
        _, _, across, down = (float(part) for part in self._root.get("viewBox", "0 0 1 1").split())
        self._scale = min(width / across, most_height / down)
        self.width, self.height = across * self._scale, down * self._scale

    def wrap(self, _width: float, _height: float) -> tuple[float, float]:
        """Return the size."""
        return self.width, self.height

    def draw(self) -> None:
        """Draw on the page."""
        canvas = self.canv
        canvas.saveState()
        clip = canvas.beginPath()
        clip.rect(0, 0, self.width, self.height)
        canvas.clipPath(clip, stroke=0, fill=0)
        canvas.translate(0, self.height)
        canvas.scale(self._scale, -self._scale)
        for one in self._root:
            if one.tag != "title":  # what a mouse would show
                canvas.saveState()
                _DRAW[one.tag](self, one)
                canvas.restoreState()
        canvas.restoreState()

    # -- elements -----------------------------------------------------------------------------------------------

    def _pen(self, one: Any) -> dict[str, int]:
        """Set stroke and fill; return which of them are wanted."""
        screen = one.get("vector-effect") == "non-scaling-stroke"
        unit = SCREEN / self._scale if screen else 1.0
        stroke, fill = one.get("stroke", "none"), one.get("fill", "#000")
        if stroke != "none":
            self.canv.setStrokeColor(_colour(stroke, one.get("stroke-opacity")))
            self.canv.setLineWidth(float(one.get("stroke-width", 1)) * unit)
            dashes = one.get("stroke-dasharray", "none")
            self.canv.setDash([] if dashes == "none" else [float(part) * unit for part in dashes.split()])
            self.canv.setLineCap(1 if one.get("stroke-linecap") == "round" else 0)
        if fill != "none":
            self.canv.setFillColor(_colour(fill, one.get("fill-opacity")))
        return {"stroke": int(stroke != "none"), "fill": int(fill != "none")}

    def _rect(self, one: Any) -> None:
        x, y, width, height = _numbers(one, "x", "y", "width", "height")
        self.canv.rect(x, y, width, height, **self._pen(one))

    def _line(self, one: Any) -> None:
        self._pen(one)
        self.canv.line(*_numbers(one, "x1", "y1", "x2", "y2"))

    def _circle(self, one: Any) -> None:
        self.canv.circle(*_numbers(one, "cx", "cy", "r"), **self._pen(one))

    def _path(self, one: Any) -> None:
        path, x, y = self.canv.beginPath(), 0.0, 0.0
        for letter, values in _steps(one.get("d", "")):
            if letter == "Z":
                path.close()
                continue
            if letter.islower():
                x, y = x + values[0], y + (values[1] if letter != "h" else 0.0)
            else:
                x = values[0] if letter in "MLH" else x
                y = values[-1] if letter in "MLV" else y
            (path.moveTo if letter in "Mm" else path.lineTo)(x, y)
        self.canv.drawPath(path, **self._pen(one))

    def _text(self, one: Any) -> None:
        size = float(one.get("font-size", 12))
        font = BOLD if one.get("font-weight") in ("600", "700", "bold") else BODY
        x, y = _numbers(one, "x", "y")
        turned = re.match(r"translate\(([-\d.]+) ([-\d.]+)\) rotate\(([-\d.]+)\)", one.get("transform", ""))
        if turned:
            self.canv.translate(float(turned[1]), float(turned[2]))
            self.canv.rotate(float(turned[3]))
        self.canv.translate(x, y)
        self.canv.scale(1, -1)
        text = _NO_XML.sub("", one.text or "")
        wide = self.canv.stringWidth(text, font, size)
        left = {"middle": -wide / 2, "end": -wide}.get(one.get("text-anchor", "start"), 0.0)
        if one.get("stroke", "none") != "none":  # a rim below the letters, so that they show on any ground
            self._letters(text, left, font, size, 1, one)
        self._letters(text, left, font, size, 0, one)

    def _letters(self, text: str, left: float, font: str, size: float, mode: int, one: Any) -> None:
        self.canv.saveState()  # the way of drawing letters would last beyond them
        self._pen(one)
        self.canv.setLineJoin(1)
        lines = self.canv.beginText(left, 0)
        lines.setFont(font, size)
        lines.setTextRenderMode(mode)
        lines.textOut(text)
        self.canv.drawText(lines)
        self.canv.restoreState()

    def _image(self, one: Any) -> None:
        width, height = _numbers(one, "width", "height")
        png = base64.b64decode(one.get("href", "").partition("base64,")[2])
        self.canv.translate(0, height)
        self.canv.scale(1, -1)
        self.canv.drawImage(ImageReader(io.BytesIO(png)), 0, 0, width, height)


_DRAW = {
    "rect": Drawing._rect,
    "line": Drawing._line,
    "path": Drawing._path,
    "circle": Drawing._circle,
    "text": Drawing._text,
    "image": Drawing._image,
}


def _numbers(one: Any, *names: str) -> list[float]:
    return [float(one.get(name, 0)) for name in names]


def _steps(data: str) -> Iterator[tuple[str, list[float]]]:
    """Yield the steps of a path: a letter with its numbers."""
    tokens = _TOKEN.findall(data)
    at, letter = 0, "M"
    while at < len(tokens):
        if tokens[at] in _ARGUMENTS:
            letter, at = tokens[at], at + 1
        count = _ARGUMENTS[letter]
        yield letter, [float(token) for token in tokens[at : at + count]]
        at += count


def _colour(text: str, opacity: str | None = None) -> Any:
    short = re.fullmatch(r"#(.)(.)(.)", text)
    colour = colors.HexColor("#" + "".join(2 * part for part in short.groups()) if short else text)
    return colors.Color(colour.red, colour.green, colour.blue, float(opacity)) if opacity else colour
