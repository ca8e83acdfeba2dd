"""The command line in a process of its own, without any setting of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CODE = "from flows.cli import app; app()"


def run_pacsqc(folder: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, in a folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PACSQC_", "PREFECT_"))}
    command = [sys.executable, "-c", CODE, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, cwd=folder, env=kept | environment)
