"""Which limits a study is judged by: those of its device, where somebody chose some, else those of the site."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from qc import criteria, dicom
from qc.errors import ConfigurationError
from qc.runner import Options, Runner
from reports.store import Store


class Runners:
    """One runner for each list of criteria sets that the studies of a batch ask for. Use as a context manager.

    Raises
    ------
    ConfigurationError
        From the constructor: sets of the site or of a device that are not there.
    """

    def __init__(self, store: Store, options: Options) -> None:
        self._store = store
        self._options = options
        self._made: dict[tuple[str, ...], Runner] = {}
        self._open = ExitStack()
        self._special = check_devices(store)
        self.of(())

    def __enter__(self) -> Runners:
        return self

    def __exit__(self, *exc: object) -> None:
        self._open.close()

    def of(self, names: tuple[str, ...]) -> Runner:
        """Return the runner that judges by these sets; by those of the site where there are none."""
        names = names or self._options.criteria
        if names not in self._made:
            self._made[names] = self._open.enter_context(Runner(dataclasses.replace(self._options, criteria=names)))
        return self._made[names]

    def for_study(self, paths: Sequence[Path]) -> Runner:
        """Return the runner for a study: its first image tells the device."""
        return self.of(self._chosen(paths) if self._special else ())

    def _chosen(self, paths: Sequence[Path]) -> tuple[str, ...]:
        with dicom.Intake(self._options.limits) as intake:
            for path in paths:
                instance = intake.read(dicom.Source(path, path.name))
                if instance is not None and instance.get("Rows"):
                    return tuple(self._store.device_key(instance.tags)[1])
        return ()


def check_devices(store: Store) -> bool:
    """Read the criteria sets of all devices; tell whether any has some.

    Raises
    ------
    ConfigurationError
        All that are not there or wrong, each with its device.
    """
    problems = []
    chosen = [device for device in store.devices() if device.criteria]
    for device in chosen:
        try:
            criteria.load(device.criteria)
        except ConfigurationError as error:
            problems += [f"limits of device {device.alias} (pacsqc device criteria {device.id} ...): {one}" for one in error.problems]
    if problems:
        raise ConfigurationError(problems)
    return bool(chosen)
