"""The pages: those made from the code are what the code says, and nothing is left out of them."""

from __future__ import annotations

import importlib.util
import re
import struct
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from typer.main import get_command

from flows import explain, settings
from flows.cli import app
from qc.check import load_checks

DOCS = Path(__file__).parents[1] / "docs"
LARGEST = 150_000
IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_build", DOCS / "build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def words() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md")))


def test_pages_are_what_the_code_says():
    """In a process of its own, as people make them: what other tests set does not matter."""
    done = subprocess.run([sys.executable, DOCS / "build.py", "--check"], cwd=DOCS.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stale_page_is_told(build, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["build.py", "--check"])
    monkeypatch.setitem(build.PAGES, "settings.md", lambda: "something else")
    assert build.main() == 1
    assert "settings.md" in capsys.readouterr().out


def test_every_check_metric_and_code_is_named(words):
    missing = []
    for spec in load_checks():
        names = [spec.id, *(metric.id for metric in spec.metrics), *spec.codes]
        missing += [name for name in names if not re.search(rf"(?<![\w.]){re.escape(name)}(?![\w])", words)]
    assert not missing


def test_every_code_that_appears_in_the_sources_is_declared_and_explained(words):
    """A finding whose code nobody declares would have no explanation."""
    root = DOCS.parent
    given = set()
    for folder in ("qc", "phantoms", "flows", "reports"):
        for path in (root / folder).rglob("*.py"):
            if "synthetic" not in path.parts:
                given |= set(re.findall(r"""Finding\(\s*"([a-z_]+\.[a-z_]+)\"""", path.read_text(encoding="utf-8")))
    declared = {code for spec in load_checks() for code in spec.codes} | set(explain.other_codes())
    assert len(given) > 5
    assert not given - declared
    assert not [code for code in explain.other_codes() if f"`{code}`" not in words]


def test_every_setting_is_named(words):
    for row in settings.rows(settings.Settings()):
        assert row["variable"] in words
        assert re.search(rf"\b{row['key']}\b", words)


def test_every_command_is_named_with_its_options(build, words):
    names = dict(build.commands(get_command(app)))
    assert len(names) > 15
    for name, command in names.items():
        assert f"`{name}`" in words or name == "pacsqc"
        for parameter in command.params:
            for option in parameter.opts:
                assert not option.startswith("--") or option in words, f"{name} {option}"


def test_every_command_has_help_that_teaches(build):
    """A sentence on what it does, and an example where there is something to give."""
    for name, command in build.commands(get_command(app)):
        assert command.help, name
        if not hasattr(command, "commands") and command.params:
            assert "Example" in command.help, name
            assert name in command.help, f"{name}: the example calls something else"


def test_pictures_are_there_small_and_described():
    shown = [(page, *match) for page in DOCS.glob("*.md") for match in IMAGE.findall(page.read_text(encoding="utf-8"))]
    assert shown
    for page, said, target in shown:
        assert len(said) > 10, f"{page.name}: {target} needs words for those who cannot see it"
        assert (DOCS / target).is_file(), f"{page.name}: {target} is not there"
    for path in (DOCS / "images").iterdir():
        assert path.stat().st_size < LARGEST, path.name
        assert path.name in "".join(target for _, _, target in shown), f"{path.name} is shown nowhere"
        if path.suffix == ".png":
            header = path.read_bytes()[:29]
            assert header[25] == 3, f"{path.name}: not a palette picture"
            assert struct.unpack(">I", header[16:20])[0] <= 1200
        else:
            assert "http" not in path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")


def test_links_between_pages_lead_somewhere():
    for page in DOCS.glob("*.md"):
        for target in re.findall(r"\]\(([a-z-]+\.md)", page.read_text(encoding="utf-8")):
            assert (DOCS / target).is_file(), f"{page.name}: {target}"
