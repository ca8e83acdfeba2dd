"""Write the reports of phantom runs again, from the stored results."""

from __future__ import annotations

from pathlib import Path

from flows import daily, outcome
from flows.settings import Settings
from qc.errors import ConfigurationError


def write_reports(settings: Settings, text: str | None, device: str | None) -> list[Path]:
    """Write the reports of the phantom runs of a day and return where the pages are; the PDF of each stands beside it.

    Parameters
    ----------
    text
        The day as YYYY-MM-DD; None: the newest that has a phantom run.
    device
        Only runs of the device of this name.

    Raises
    ------
    ConfigurationError
        If that is no date, there is no such device, or there was no phantom.
    """
    from reports import phantom, phantom_history

    wanted = outcome.parse_day(text)
    with daily.open_for(settings) as store:
        names = sorted({one.alias for one in store.devices() if one.merged_into is None})
        if device and device not in names:
            raise ConfigurationError(f"there is no device {device!r}; there are {', '.join(names) or 'none yet'}")
        days = phantom_history.days(store, device)
        if not days or (wanted and wanted not in days):
            of = f" of {device}" if device else ""
            known = f"; the last days with one are {', '.join(map(str, days[-5:]))}" if days else "; `pacsqc run` takes them from the inbox"
            raise ConfigurationError(f"there is no phantom run{of}{f' on {wanted}' if wanted else ''}{known}")
        written = phantom.write_day(store, wanted or days[-1], settings.reports_folder, device=device, site=settings.site.name)
    return [one.page for one in written]
