"""Flow: what is looked after every night."""

from __future__ import annotations

import dataclasses
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows import nightly, settings
from flows.discover import is_transient


@task(
    name="look after things",
    cache_policy=NO_CACHE,
    persist_result=False,
    log_prints=False,
    retries=2,
    retry_delay_seconds=[60, 300],
    retry_jitter_factor=0.5,
    retry_condition_fn=is_transient,
)
def look_after(sweep: bool, backup: bool) -> dict[str, Any]:
    """Do all of it."""
    return dataclasses.asdict(nightly.run_upkeep(settings.load(), sweep=sweep, backup=backup))


@flow(name="upkeep", retries=0, persist_result=False, log_prints=False)
def upkeep(sweep: bool = True, backup: bool = True) -> dict[str, Any]:
    """Count anew at the archives (`sweep`), delete old files, look for silent scanners and due tests, make a `backup`. Returns counts."""
    return look_after(sweep, backup)
