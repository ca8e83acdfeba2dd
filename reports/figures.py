"""Draw evidence, each kind once: pictures and curves as inline SVG, without a drawing library and without a script.

The role of a region is told by colour and by dash and by letter, never by colour alone.
"""

from __future__ import annotations

import base64
import io
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from markupsafe import Markup, escape

from qc.results import CurveEvidence, Evidence, ImageEvidence, Shape
from qc.runner import display_unit

WIDTH = 512  # pixels; a larger picture is made smaller for the report
FEW = 3  # regions without a name that still get the letter of their role
SHOWN = 300  # screen pixels of the longer side; a small matrix is shown as large as a fine one

# role -> colour, dash (in screen pixels), letter, words
ROLES = {
    "measured": ("#4cc9f0", "none", "M", "measured here"),
    "excluded": ("#ffd166", "2 4", "X", "left out"),
    "found": ("#b8f2a0", "8 4", "F", "found"),
    "problem": ("#ff6f9c", "12 3 2 3", "!", "problem"),
}
_LINES = ("#0b5cad", "#b3261e", "#5d4e00", "#6a1b9a", "#00695c", "#37474f")
_DASHES = ("none", "7 4", "2 3", "10 3 2 3", "12 6", "1 5")
_BOX = (64, 12, 496, 232)  # left, top, right, bottom of the plot within 510 x 280


def figure(evidence: Evidence, picture: str = "") -> Markup:
    """Return evidence as an HTML ``<figure>``; every text in it is escaped.

    Parameters
    ----------
    picture
        Address that the picture itself is fetched from; empty: it stands in the figure.
    """
    is_image = isinstance(evidence, ImageEvidence)
    legend = Markup("").join(element("span", drawn, " ", text, class_="key") for drawn, text in keys(evidence))
    if is_image:
        legend += element("span", window(evidence), class_="legend")
    words = [element("b", evidence.title), " ", evidence.caption]
    caption = element("figcaption", *words, element("span", legend, class_="legend"))
    return element("figure", drawing(evidence, picture), caption, class_="image" if is_image else "curve")


def drawing(evidence: Evidence, picture: str = "") -> Markup:
    """Return evidence as an ``<svg>`` without title and legend; `picture` as in `figure`."""
    return _image(evidence, picture) if isinstance(evidence, ImageEvidence) else _curve(evidence)


def window(evidence: Evidence) -> str:
    """Say which values are black and white in a picture."""
    if not isinstance(evidence, ImageEvidence):
        return ""
    low, high = evidence.window
    return f"Black to white: {low:.4g} to {high:.4g} {display_unit(evidence.unit)}".rstrip()


def keys(evidence: Evidence) -> list[tuple[Markup, str]]:
    """Return what the lines of a drawing mean: a sample of each as ``<svg>``, and words."""
    if isinstance(evidence, ImageEvidence):
        used = {shape.role for shape in evidence.shapes}
        roles = [one for role, one in ROLES.items() if role in used]
        return [(_sample(colour, dash, dark=True), f"{letter} = {words}") for colour, dash, letter, words in roles]
    labels = list(evidence.curves) if len(evidence.curves) > 1 else []  # where there is more than one line
    return [(_sample(_LINES[n % 6], _DASHES[n % 6]), label) for n, label in enumerate(labels)]


def element(name: str, *children: object, **attributes: object) -> Markup:
    """Return an element. Children that are no markup yet, and values of attributes, are escaped."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(short(value) if isinstance(value, float) else value)}"'
        for key, value in attributes.items()
    )
    return Markup(f"<{name}{given}>{''.join(map(escape, children))}</{name}>")


def short(number: float) -> str:
    """Return a number with two decimals at most."""
    return f"{number:.2f}".rstrip("0").rstrip(".")


# -- pictures ---------------------------------------------------------------------------------------------------


def _image(evidence: ImageEvidence, address: str) -> Markup:
    rows, columns = evidence.image.shape[:2]
    aspect = evidence.aspect if math.isfinite(evidence.aspect) and evidence.aspect > 0 else 1.0
    height = rows * aspect
    size = max(columns, height)
    picture = element(
        "image", href=address or f"data:image/png;base64,{_png(evidence)}", width=columns, height=height, preserveAspectRatio="none"
    )
    taken: list[tuple[float, float, float]] = []
    nameless = Counter(shape.role for shape in evidence.shapes if not shape.label)
    few = {role for role, number in nameless.items() if number <= FEW}
    shapes = [_shape(shape, aspect, size, taken, shape.role in few) for shape in evidence.shapes if shape.points]
    shown = {"width": columns * SHOWN / size, "height": height * SHOWN / size}
    return element(
        "svg", picture, *shapes, class_="picture", viewBox=f"0 0 {columns} {short(height)}", **shown, role="img", aria_label=evidence.title
    )


def _png(evidence: ImageEvidence) -> str:
    import numpy as np
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(evidence.image, dtype=np.uint8))
    step = -(-max(picture.size) // WIDTH)
    if step > 1:
        picture = picture.reduce(step)
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def _shape(shape: Shape, aspect: float, size: float, taken: list[tuple[float, float, float]], lettered: bool) -> Markup:
    """Draw one region twice: dark and wide below, so that it shows on white and on black, then in the colour of its role.

    A region without a name gets the letter of its role where it is `lettered`; of many, dash and colour have to tell.
    """
    colour, dash, letter, _ = ROLES.get(shape.role, ROLES["measured"])
    # a pixel (row, col) is centred at (col + 0.5, row + 0.5) of the picture
    points = [(col + 0.5, (row + 0.5) * aspect) for row, col in shape.points]
    left, top = min(x for x, _ in points), min(y for _, y in points)
    if shape.kind == "circle" and len(points) > 1:
        radius = math.dist(*points[:2])
        left, top = points[0][0] - radius, points[0][1] - radius
    text = Markup("")
    if shape.label or lettered:
        words, font = f"{letter} {shape.label}".strip(), size / 24
        x, y = _free_place(left, top - font * 0.4, len(words), font, size, taken)
        look = {"fill": colour, "stroke": "#000", "stroke_width": font / 5, "stroke_linejoin": "round", "paint_order": "stroke"}
        text = element("text", words, x=x, y=y, font_size=font, **look)
    below = _outline(shape.kind, points, size, stroke="#000", stroke_opacity=".6", stroke_width=4)
    return below + _outline(shape.kind, points, size, stroke=colour, stroke_width=2, stroke_dasharray=dash) + text


def _free_place(x: float, y: float, letters: int, font: float, size: float, taken: list[tuple[float, float, float]]) -> tuple[float, float]:
    """Return where a label is inside the picture and does not cover another one; note that the place is taken."""
    width = 0.6 * font * letters
    x = max(min(x, size - width), font * 0.2)
    y = max(y, font)
    for _ in range(20):
        if not any(abs(y - other) < font and x < right and left < x + width for left, right, other in taken):
            break
        y = y + font * 1.1 if y + font * 1.1 < size else font
    taken.append((x, x + width, y))
    return x, y


def _outline(kind: str, points: Sequence[tuple[float, float]], size: float, **style: object) -> Markup:
    style |= {"fill": "none", "vector_effect": "non-scaling-stroke"}
    x, y = points[0]
    if kind == "circle":
        radius = math.dist(*points[:2]) if len(points) > 1 else size / 100
        return element("circle", cx=x, cy=y, r=radius, **style)
    if kind == "point":
        arm = size / 60
        return element("path", d=f"M{short(x - arm)} {short(y)}H{short(x + arm)}M{short(x)} {short(y - arm)}V{short(y + arm)}", **style)
    return element("path", d=_path(points) + ("Z" if kind == "polygon" else ""), **style)


def _path(points: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{short(x)} {short(y)}" for x, y in points)


def _sample(colour: str, dash: str, *, dark: bool = False) -> Markup:
    """Draw a short piece of a line."""
    ground = element("rect", width=34, height=10, fill="#222" if dark else "#fff")
    line = element("line", x1=2, x2=32, y1=5, y2=5, stroke=colour, stroke_width=2, stroke_dasharray=dash)
    return element("svg", ground, line, viewBox="0 0 34 10", width=34, height=10, aria_hidden="true")


# -- curves -----------------------------------------------------------------------------------------------------


def _curve(evidence: CurveEvidence) -> Markup:
    curves = [_runs(*pair) for pair in evidence.curves.values()]
    points = [point for runs in curves for run in runs for point in run]
    marks = sorted((x, label) for label, x in evidence.marks.items() if x is not None and math.isfinite(x))
    x_ticks = ticks([x for x, _ in points] + [x for x, _ in marks])
    y_ticks = ticks([y for _, y in points])
    left, top, right, bottom = _BOX

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - x_ticks[0]) / (x_ticks[-1] - x_ticks[0])
        up = (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0])
        return left + across * (right - left), bottom - up * (bottom - top)

    parts = _axes(evidence, x_ticks, y_ticks, place)
    for number, (x_value, label) in enumerate(marks):
        x = place(x_value, y_ticks[0])[0]
        side = {"x": x - 4, "text_anchor": "end"} if x > right - 90 else {"x": x + 4, "text_anchor": "start"}
        parts.append(element("line", x1=x, x2=x, y1=top, y2=bottom, stroke="#444", stroke_dasharray="3 3"))
        parts.append(element("text", label, y=top + 12 + 13 * (number % 4), font_size=11, **side))
    for number, runs in enumerate(curves):
        style = {"fill": "none", "stroke": _LINES[number % 6], "stroke_dasharray": _DASHES[number % 6], "stroke_width": 1.8}
        for run in runs:
            path = _path(place(x, y) for x, y in run)
            lone = {"stroke_linecap": "round", "stroke_width": 5} if len(run) == 1 else {}
            parts.append(element("path", d=path + ("h.01" if lone else ""), **(style | lone)))
    if not points:
        parts.append(element("text", "no values", x=(left + right) / 2, y=(top + bottom) / 2, font_size=13, text_anchor="middle"))
    return element("svg", *parts, class_="chart", viewBox="0 0 510 280", width=510, height=280, role="img", aria_label=evidence.title)


def _axes(
    evidence: CurveEvidence, x_ticks: Sequence[float], y_ticks: Sequence[float], place: Callable[[float, float], tuple[float, float]]
) -> list[Markup]:
    left, top, right, bottom = _BOX
    middle = {"text_anchor": "middle"}
    parts = [element("rect", x=left, y=top, width=right - left, height=bottom - top, fill="#fff", stroke="#666")]
    for value in x_ticks:
        x = place(value, y_ticks[0])[0]
        parts.append(element("line", x1=x, x2=x, y1=top, y2=bottom, stroke="#ddd"))
        parts.append(element("text", tick_text(value, x_ticks), x=x, y=bottom + 15, font_size=11, **middle))
    for value in y_ticks:
        y = place(x_ticks[0], value)[1]
        parts.append(element("line", x1=left, x2=right, y1=y, y2=y, stroke="#ddd"))
        parts.append(element("text", tick_text(value, y_ticks), x=left - 5, y=y + 4, font_size=11, text_anchor="end"))
    parts.append(element("text", display_unit(evidence.x_label), x=(left + right) / 2, y=274, font_size=12, **middle))
    turned = f"translate(14 {(top + bottom) // 2}) rotate(-90)"
    return [*parts, element("text", evidence.y_label, transform=turned, font_size=12, **middle)]


def _runs(xs: Sequence[float | None], ys: Sequence[float | None]) -> list[list[tuple[float, float]]]:
    """Return the runs of points that have both values; a gap stays a gap."""
    runs: list[list[tuple[float, float]]] = [[]]
    for x, y in zip(xs, ys, strict=False):
        if x is None or y is None or not (math.isfinite(x) and math.isfinite(y)):
            runs.append([])
        else:
            runs[-1].append((float(x), float(y)))
    return [run for run in runs if run]


def ticks(values: Sequence[float], about: int = 5) -> list[float]:
    """Return round numbers that span the values, at least two.

    >>> ticks([0.3, 9.1])
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    """
    low, high = (min(values), max(values)) if len(values) else (0.0, 1.0)
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        low, high = low - (abs(low) / 10 or 1), high + (abs(high) / 10 or 1)
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10, 20) if factor * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def tick_text(value: float, among: Sequence[float]) -> str:
    """Return a tick with as many decimals as tell it from its neighbours."""
    step = among[1] - among[0]
    if step >= 1e5 or step < 1e-4:
        return f"{value:.3g}"
    return f"{value:.{max(0, -math.floor(math.log10(step) + 1e-9))}f}"
