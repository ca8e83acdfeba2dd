"""Flow: look at every source, each in a task of its own, and make work of the studies that are complete."""

from __future__ import annotations

from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from flows import daily, settings
from flows.tally import Tally
from qc.errors import Transient


def is_transient(task: Any, run: Any, state: Any) -> bool:
    """Tell whether a task failed for a reason outside, which may pass."""
    return isinstance(state.result(raise_on_failure=False), Transient)


@task(
    name="look at a source",
    task_run_name="look at {source}",
    cache_policy=NO_CACHE,
    persist_result=False,
    log_prints=False,
    retries=3,
    retry_delay_seconds=[10, 30, 90],
    retry_jitter_factor=0.5,
    retry_condition_fn=is_transient,
)
def look(source: str, patient: bool, sweep: bool = False) -> dict[str, Any]:
    """Look at one source. Another run that looks at it at the same time keeps it; then nothing is done here."""
    chosen = settings.load()
    with daily.open_for(chosen) as store:
        one = daily.sources_for(chosen).named(source)
        try:
            return daily.discover(one, store, one.quiet_s, patient=patient, sweep=sweep).plain()
        except Transient as error:
            daily.unreachable(store, one, error)
            raise


@flow(name="discover", retries=0, persist_result=False, log_prints=False)
def discover(patient: bool = False, source: str = "", sweep: bool = False) -> dict[str, Any]:
    """Look at every source once, or until nothing is arriving any more (`patient`). Returns counts.

    `source`: only at this one. `sweep`: count everything anew, as far back as the settings of each archive say.
    """
    names = [source] if source else [one.name for one in daily.sources_for(settings.load())]
    states = [look.submit(name, patient, sweep) for name in names]
    total, failed = Tally(), []
    for one in states:
        one.wait()
        result = one.result(raise_on_failure=False)
        if isinstance(result, Transient):
            failed.append(result)
            continue
        done = Tally(**one.result())
        arriving = total.arriving + done.arriving
        total.add(done)
        total.arriving = arriving
    total.unreachable = len(failed)
    if failed and len(failed) == len(names):
        raise failed[0]
    return total.plain()
