"""Rules of the design that a test can hold: what an import costs, where exceptions are caught, which clock is read, how long a file gets.

The rooms and who imports whom are checked by import-linter (`make lint`).
"""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("qc", "phantoms", "reports", "flows")
MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
LONGEST = 450

# Where any exception may be caught: the border round a check, the child that runs codecs, the border round a batch.
BORDERS = {"qc/runner.py", "qc/decoder.py"}
BORDER_ROOM = "flows/"


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


each_module = pytest.mark.parametrize("path", MODULES, ids=name_of)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def nodes(path: Path, kind: type):
    return [node for node in ast.walk(tree(path)) if isinstance(node, kind)]


def dotted(node: ast.AST) -> str:
    """``a.b.c`` of a name or attribute, else an empty text."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}".lstrip(".")
    return node.id if isinstance(node, ast.Name) else ""


@pytest.mark.parametrize("module", ["qc", "qc.check", "qc.dicom", "qc.runner", "qc.output"])
def test_what_an_import_leaves_out(module):
    """No server, no tables, no drawing; scipy.stats and skimage only in the functions that need them."""
    code = f"import sys, {module}; print('\\n'.join(sys.modules))"
    loaded = set(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT).stdout.split())
    assert module in loaded
    unwanted = {
        "prefect",
        "pandas",
        "sqlalchemy",
        "matplotlib",
        "skimage",
        "scipy.stats",
        "scipy.optimize",
        "scipy.signal",
        "flows",
        "reports",
        "phantoms",
    }
    assert not unwanted & loaded


def test_running_the_core_needs_no_server_and_no_tables():
    """All checks loaded, phantoms too."""
    code = "import sys; from qc.runner import Runner; Runner(); print('\\n'.join(sys.modules))"
    loaded = set(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT).stdout.split())
    assert {"qc.checks.slices", "phantoms.uniform"} <= loaded
    assert not {"prefect", "pandas", "sqlalchemy", "matplotlib", "skimage", "scipy.stats", "flows", "reports"} & loaded


@each_module
def test_a_file_that_grows_long_is_two_ideas(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < LONGEST
    assert path.stem not in {"utils", "helpers", "common", "manager"}


@each_module
def test_times_are_aware(path):
    """``datetime.now()`` and its like without a zone give a time that means nothing elsewhere; ``.astimezone()`` adds the machine's."""
    made_aware = {
        id(call.func.value) for call in nodes(path, ast.Call) if isinstance(call.func, ast.Attribute) and call.func.attr == "astimezone"
    }
    naive = []
    for call in nodes(path, ast.Call):
        name, given = dotted(call.func), len(call.args) + len(call.keywords)
        if name.endswith(("datetime.utcnow", "datetime.utcfromtimestamp")):
            naive.append(call.lineno)
        elif (name.endswith("datetime.now") and given < 1) or (name.endswith("datetime.fromtimestamp") and given < 2):
            naive += [] if id(call) in made_aware else [call.lineno]
    assert naive == []


@each_module
def test_any_exception_is_caught_at_the_borders_only(path):
    name = name_of(path)
    broad = [
        node.lineno for node in nodes(path, ast.ExceptHandler) if node.type is None or {"Exception", "BaseException"} & names_in(node.type)
    ]
    if name not in BORDERS and not name.startswith(BORDER_ROOM):
        assert broad == []


def names_in(node: ast.AST) -> set[str]:
    return {dotted(one) for one in ast.walk(node)}


def test_only_one_module_of_the_core_opens_files():
    """Besides the decoder's child, and what comes with the package itself (criteria sets, the schema)."""
    allowed = {"qc/dicom.py", "qc/decoder.py", "qc/criteria.py", "qc/output.py"}
    opening = {"open", "read_bytes", "read_text", "write_bytes", "write_text", "dcmread", "unlink", "mkdir"}
    for path in MODULES:
        if name_of(path).startswith("qc/") and name_of(path) not in allowed:
            calls = {dotted(call.func).rpartition(".")[2] for call in nodes(path, ast.Call)}
            assert not opening & calls, name_of(path)


def test_the_measures_see_arrays_and_numbers_only():
    for path in (ROOT / "qc" / "measure").glob("*.py"):
        imported = {alias.name for node in nodes(path, ast.Import) for alias in node.names}
        imported |= {node.module or "" for node in nodes(path, ast.ImportFrom)}
        assert not {name for name in imported if name.split(".")[0] in ("pydicom", "datetime", "time", "os", "pathlib", "io")}, path
        assert not {name for name in imported if name.startswith("qc.") and not name.startswith(("qc.measure", "qc.errors"))}, path
