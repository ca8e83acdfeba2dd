"""Flow: look at the inbox and make work of the studies that are complete."""

from __future__ import annotations

from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows import daily, settings
from qc.errors import Transient


def is_transient(task: Any, run: Any, state: Any) -> bool:
    """Tell whether a task failed for a reason outside, which may pass."""
    return isinstance(state.result(raise_on_failure=False), Transient)


@task(
    name="look at the inbox",
    cache_policy=NO_CACHE,
    persist_result=False,
    log_prints=False,
    retries=3,
    retry_delay_seconds=[10, 30, 90],
    retry_jitter_factor=0.5,
    retry_condition_fn=is_transient,
)
def look(patient: bool) -> dict[str, Any]:
    """Look at the inbox."""
    chosen = settings.load()
    with daily.open_for(chosen) as store:
        return daily.discover(daily.source_for(chosen), store, chosen.inbox.quiet_seconds, patient=patient).plain()


@flow(name="discover", retries=0, persist_result=False, log_prints=False)
def discover(patient: bool = False) -> dict[str, Any]:
    """Look at the inbox once, or until nothing is arriving any more (`patient`). Returns counts."""
    return look(patient)
