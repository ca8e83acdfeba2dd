"""Flow: write the report of every day that has news."""

from __future__ import annotations

from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows import daily, settings
from flows.discover import is_transient


@task(
    name="write reports",
    cache_policy=NO_CACHE,
    persist_result=False,
    log_prints=False,
    retries=2,
    retry_delay_seconds=[10, 60],
    retry_jitter_factor=0.5,
    retry_condition_fn=is_transient,
)
def write_reports() -> dict[str, Any]:
    """Write reports."""
    chosen = settings.load()
    with daily.open_for(chosen) as store:
        return daily.publish_once(store, chosen).plain()


@flow(name="publish", retries=0, persist_result=False, log_prints=False)
def publish() -> dict[str, Any]:
    """Write the report of every day that has news. Returns which days."""
    return write_reports()
