"""The report of a study that was checked in parts: some of its files whole, of others only the header."""

from __future__ import annotations

from qc.runner import Report


def added(report: Report, other: Report) -> Report:
    """Return two reports of parts of one study as one."""
    for name in ("studies", "findings", "measurements", "skipped", "ran"):
        getattr(report, name).extend(getattr(other, name))
    report.given += other.given
    return report
