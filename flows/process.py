"""Flow: check the studies that wait, a few batches at a time."""

from __future__ import annotations

import time
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture, as_completed
from prefect.task_runners import ProcessPoolTaskRunner, ThreadPoolTaskRunner

from flows import daily, settings
from flows.discover import is_transient
from flows.owner import new_owner
from qc.errors import ConfigurationError


@task(
    name="check a batch",
    cache_policy=NO_CACHE,
    persist_result=False,
    log_prints=False,
    retries=2,
    retry_delay_seconds=[10, 60],
    retry_jitter_factor=0.5,
    retry_condition_fn=is_transient,
)
def check_batch(number: int) -> dict[str, Any]:
    """Claim and check up to a batch of studies. Returns counts.

    The task claims each study when its turn comes, so nothing but a running number is handed over, and a retry goes on
    where the last attempt ended.
    """
    chosen = settings.load()
    with daily.open_for(chosen) as store:
        return daily.process_batch(store, daily.sources_for(chosen), chosen, new_owner()).plain()


def runner_for(chosen: settings.Settings) -> Any:
    """Return what the batches of a run work in: threads, processes, or the workers of a Dask scheduler.

    Raises
    ------
    ConfigurationError
        If Dask is asked for and not installed.
    """
    if chosen.run.scale == "threads":
        return ThreadPoolTaskRunner(max_workers=chosen.run.workers)
    if chosen.run.scale == "processes":
        return ProcessPoolTaskRunner(max_workers=chosen.run.workers)
    try:
        from prefect_dask import DaskTaskRunner
    except ImportError as error:
        raise ConfigurationError('run.scale is "dask", but it is not installed: install pacsqc[scale]') from error
    if chosen.run.dask:
        return DaskTaskRunner(address=chosen.run.dask)
    here = {"n_workers": chosen.run.workers, "threads_per_worker": 1, "dashboard_address": None, "host": "127.0.0.1"}
    return DaskTaskRunner(cluster_kwargs=here)


@flow(name="process", retries=0, persist_result=False, log_prints=False)
def process(minutes: float = 0.0) -> dict[str, Any]:
    """Check studies until none waits, or no new batch is begun after so many minutes (0: no limit). Returns counts.

    At most `run.workers` batches are in flight, in threads, processes or on Dask as `run.scale` says; the next is submitted when
    one is done.
    """
    chosen = settings.load()
    until = time.monotonic() + minutes * 60 if minutes else float("inf")
    tally, number = daily.Tally(), 0
    running: list[PrefectFuture[dict[str, Any]]] = []
    with daily.open_for(chosen) as store, runner_for(chosen) as runner:
        daily.free_the_dead(store)
        while True:
            wanted = daily.batches_wanted(store, chosen) if time.monotonic() < until else 0
            for _ in range(wanted - len(running)):
                number += 1
                running.append(runner.submit(check_batch, {"number": number}))
            if not running:
                return tally.plain()
            done = next(as_completed(running))
            running.remove(done)
            tally.add(daily.Tally(**done.result()))
