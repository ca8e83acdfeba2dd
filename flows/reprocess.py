"""Flow: check studies again, for a selection and a reason."""

from __future__ import annotations

from datetime import date
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows import again, daily, settings
from flows.discover import is_transient


@task(
    name="make work again",
    cache_policy=NO_CACHE,
    persist_result=False,
    log_prints=False,
    retries=2,
    retry_delay_seconds=[10, 60],
    retry_jitter_factor=0.5,
    retry_condition_fn=is_transient,
)
def make_work(first: str, last: str, code: str, modality: str, reason: str, dry_run: bool) -> int:
    """Make the work, or count it."""
    chosen = settings.load()
    selection = again.Selection(date.fromisoformat(first), date.fromisoformat(last), code, modality)
    with daily.open_for(chosen) as store:
        return again.reprocess(store, selection, reason, dry_run=dry_run)


@flow(name="reprocess", retries=0, persist_result=False, log_prints=False)
def reprocess(first: str, last: str, reason: str, code: str = "", modality: str = "", dry_run: bool = True) -> dict[str, Any]:
    """Check the studies of some days again. Returns how many; nothing but that where `dry_run`.

    `first`, `last`: days as YYYY-MM-DD. `code`: only studies with such a finding. `modality`: only those with such a series.
    `reason`: stands in the audit log.
    """
    return {"studies": make_work(first, last, code, modality, reason, dry_run), "dry_run": dry_run}
