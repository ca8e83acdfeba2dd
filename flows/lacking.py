"""What is added to the report of a study by the one who fetched it: that the source counts more than came."""

from __future__ import annotations

from qc.results import Finding, Status, Subject
from qc.runner import Report
from reports.store import Work

CODE = "study.fewer_than_counted"
CODES = {
    CODE: "The archive that the study comes from counts more instances than it handed over. Look at the study there; what comes later is "
    "fetched and checked again by itself."
}
NAMED = 5


def lacking_findings(work: Work) -> list[Finding]:
    """Return a finding for each source that counts more of a study than came from it."""
    found = []
    for one in work.lacking:
        text = f"{one.source} counts {one.expected} instances of this study, {max(0, one.expected - one.here)} of them did not come"
        if one.missing:
            more = f" and {len(one.missing) - NAMED} more" if len(one.missing) > NAMED else ""
            text += f": {', '.join(one.missing[:NAMED])}{more}"
        details = {"source": one.source, "expected": one.expected, "received": one.here, "missing": list(one.missing)}
        if one.state == "given_up":
            text += "; they are not asked for any more"
        found.append(Finding(CODE, Status.FAIL, text, Subject("study", work.study_uid), details, CODES[CODE], "intake"))
    return found


def added(report: Report, other: Report) -> Report:
    """Return two reports of parts of one study as one."""
    for name in ("studies", "findings", "measurements", "skipped", "ran"):
        getattr(report, name).extend(getattr(other, name))
    report.given += other.given
    return report
