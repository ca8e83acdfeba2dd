"""Make the pictures of the pages: the report of a simulated day in a headless Chromium, and what the command line prints.

Same code, same pictures: the day has a fixed seed and date. Used by ``python docs/build.py --screenshots``.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageChops
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

SEED, DATE = 8, "2026-11-25"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
LARGEST = 150_000  # bytes of one picture
WIDTH = 1080
# colours of 4.5 : 1 and more on white, and told apart in grey
THEME = TerminalTheme(
    (255, 255, 255), (26, 31, 36),
    [(26, 31, 36), (160, 20, 20), (20, 100, 30), (128, 84, 0), (11, 74, 143), (110, 30, 140), (0, 100, 110), (90, 100, 110)],
)  # fmt: skip
SVG = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: {char_height}px;
 line-height: {line_height}px; font-variant-east-asian: full-width; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>{lines}</defs>
<rect fill="#ffffff" stroke="#c9d0d6" x="1" y="1" width="{terminal_width}" height="{height}" rx="6"/>
<g transform="translate(10, 10)" clip-path="url(#{unique_id}-clip-terminal)">{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""
# hides all of the report but the first problem that has a picture, with its first case
FIRST_PICTURE = """
body > header, footer, main > * { display: none !important } main > .problem:has(svg.picture) { display: block !important; margin: 0 }
main > .problem:has(svg.picture) ~ .problem { display: none !important } .item ~ .item, .item ~ details { display: none !important }
main { padding: 8px 24px }
"""


def make(folder: Path) -> None:
    """Make all pictures."""
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    import desk_pictures  # beside this file

    if browser is None:
        raise SystemExit("the pictures of the report need Chromium, which is not here; install it, or leave --screenshots away")
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        _pacsqc(work, "simulate", "day", "day", "--seed", str(SEED), "--date", DATE)
        _pacsqc(work, "run", "--no-prefect", "--no-wait", "--inbox", "day/inbox", "--data", "results")
        report = work / "results" / "reports" / f"daily-{DATE}.html"
        _shoot(browser, report, folder / "report-top.png", height=900)
        page = report.read_text(encoding="utf-8")
        part = work / "part.html"
        part.write_text(page.replace("</head>", f"<style>{FIRST_PICTURE}</style></head>"), encoding="utf-8")
        _shoot(browser, part, folder / "report-finding.png", height=1000, trim=True)
        desk_pictures.make(browser, work / "results" / "results.sqlite", DATE, folder)
        _terminal(work, folder / "check.svg", "check", _study(work, "slices.missing"))
        _terminal(work, folder / "phantom.svg", "phantom", _study(work, recipe="acr_mri_large"))
        _terminal(work, folder / "devices.svg", "device", "list", "--data", "results", columns=130)
        _terminal(work, folder / "explain.svg", "checks", "slices", most_lines=32)
    for path in sorted(folder.iterdir()):
        size = path.stat().st_size
        print(f"{path.name:<22} {size / 1000:6.1f} kB")
        if size > LARGEST:
            raise SystemExit(f"{path.name} is larger than {LARGEST / 1000:g} kB")


def _study(work: Path, code: str = "", recipe: str = "") -> str:
    """Return the folder of a study with a fault, or of a recipe."""
    import json

    key = json.loads((work / "day" / "answers.json").read_text())
    return next(f"day/inbox/{one['folder']}" for one in key["studies"] if one["code"] == code or one["recipe"] == recipe)


def _pacsqc(work: Path, *arguments: str, columns: int = 110) -> str:
    """Run the command line on a terminal that is none: coloured, wrapped at `columns`; return what it prints."""
    code = f"import flows.voice as v, flows.terminal as t; v.page_options = lambda: dict(colour=True, width={columns}); "
    code += "import flows.commands.look as look; look.page_options = v.page_options; from flows.cli import app; app(color=True)"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PACSQC_")}
    environment |= {"PACSQC_INBOX_QUIET_SECONDS": "0", "FORCE_COLOR": "1"}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
    if done.returncode > 1:
        raise SystemExit(f"pacsqc {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def _terminal(work: Path, path: Path, *arguments: str, columns: int = 110, most_lines: int = 60) -> None:
    """Draw a call and what it prints."""
    lines = _pacsqc(work, *arguments, columns=columns).splitlines()
    if len(lines) > most_lines:
        lines = [*lines[:most_lines], "..."]
    console = Console(record=True, width=columns + 2, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    shown = " ".join(arguments).replace("day/inbox/", "").replace(" --data results", "")
    console.print(Text(f"$ pacsqc {shown}", style="bold"))
    console.print(Text.from_ansi("\n".join(lines)))
    svg = console.export_svg(title="", theme=THEME, code_format=SVG, unique_id=path.stem)
    path.write_text(re.sub(r"[ \t]+\n", "\n", svg), encoding="utf-8")


def _shoot(browser: str, page: Path, path: Path, *, height: int, trim: bool = False) -> None:
    """Photograph a page, cut off the white below it where wanted, and keep 64 colours."""
    with tempfile.TemporaryDirectory() as profile:
        raw = Path(profile) / "raw.png"
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}"]
        command += ["--force-device-scale-factor=1", f"--window-size={WIDTH},{height}", f"--screenshot={raw}", page.as_uri()]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)
        image = Image.open(raw).convert("RGB")
    if trim:
        box = ImageChops.difference(image, Image.new("RGB", image.size, (255, 255, 255))).getbbox()
        if box is None:
            raise SystemExit(f"{path.name}: there is nothing on the page")
        image = image.crop((0, 0, image.width, min(box[3] + 12, image.height)))
    image.quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)
