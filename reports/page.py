"""What every page has in common: its templates, and that a file is written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from reports import words

if TYPE_CHECKING:
    import jinja2


@cache
def environment() -> jinja2.Environment:
    """Return the templates; whatever is put into them is escaped."""
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.PackageLoader("reports"), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.globals.update(words=words, said=words.STATUS)
    return made


def put(path: Path, make: Callable[[Path], object]) -> None:
    """Write a file beside its place and move it there, so that nobody reads half of it."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        make(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
