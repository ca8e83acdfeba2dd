"""The makers of tests/reports, for tests of the whole."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "reports"))

import reports_made
import trends_made

__all__ = ["reports_made", "trends_made"]
