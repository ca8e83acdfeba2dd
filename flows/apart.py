"""Check one study in a process of its own, where a crash takes nothing else down.

A study that was begun before and not finished goes this way: if it was the study that killed the worker, this shows it. Run as
``python -m flows.apart`` this module is the child: it reads options and paths on its standard input and answers with the report.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from qc.runner import Options, Report, Runner

COMMAND = (sys.executable, "-P", "-m", "flows.apart")  # -P: no module of the current folder takes the place of ours


class ApartError(Exception):
    """The process ended without a report."""


def check_apart(options: Options, paths: Sequence[Path], deadline_s: float) -> Report:
    """Run the checks on some paths in a process of its own.

    Raises
    ------
    ApartError
        If it crashed, raised an error, or took longer than `deadline_s`.
    """
    request = pickle.dumps((options, [path.absolute() for path in paths]))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folder or os.getcwd() for folder in sys.path)}
    try:
        done = subprocess.run(
            COMMAND, input=request, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=deadline_s, check=False, env=environment
        )
    except subprocess.TimeoutExpired as error:
        raise ApartError(f"it took longer than {deadline_s:g} s") from error
    if done.returncode:
        raise ApartError(f"the process that checked it ended with code {done.returncode}")
    report, where = pickle.loads(done.stdout)
    if report is None:
        raise ApartError(where)
    return report


def where(error: BaseException) -> str:
    """Say where an error arose. Not what it says: that may quote a header."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    places = ", ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(error).__name__} at {places}"


def _child() -> None:
    """Answer one request. The border of a batch, like that in `flows.daily`."""
    options, paths = pickle.load(sys.stdin.buffer)
    try:
        with Runner(options) as runner:
            answer = runner.paths(paths), ""
    except Exception as error:
        answer = None, where(error)
    sys.stdout.buffer.write(pickle.dumps(answer))


if __name__ == "__main__":
    _child()
