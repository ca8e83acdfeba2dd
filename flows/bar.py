"""Progress on a terminal, on stderr. A module of its own because rich takes a tenth of a second to load."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


@contextmanager
def bar(title: str) -> Iterator[Callable[[int, int, str], None]]:
    """Show a bar that goes away at the end; the function takes done, total (0: unknown) and a text."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.fields[text]}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(title, total=None, text="")

        def tell(done: int, total: int, text: str) -> None:
            shown.update(task, completed=done, total=total or None, text=escape(text)[:40])

        yield tell


@contextmanager
def watch(counts: Callable[[], dict[str, int]], tell: Callable[[int, int, str], None]) -> Iterator[None]:
    """Show how far the work in the database is, whoever does it; `counts` gives the number of studies in each state."""
    over = Event()
    start = counts()["done"]

    def look() -> None:
        while not over.wait(0.5):
            now = counts()
            done = now["done"] - start
            tell(done, done + now["ready"] + now["leased"], "")

    thread = Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
