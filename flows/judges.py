"""How a study is measured and judged: by the limits of its device, where somebody chose some, and with what was set by hand for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from flows import by_hand
from qc import criteria, dicom
from qc.errors import ConfigurationError
from qc.runner import Options, Runner
from reports.store import ByHand, Store


class Runners:
    """One runner for each list of criteria sets, and each device with settings by hand, of a batch. Use as a context manager.

    Raises
    ------
    ConfigurationError
        From the constructor: sets of the site or of a device that are not there.
    """

    def __init__(self, store: Store, options: Options) -> None:
        self._store = store
        self._options = options
        self._made: dict[tuple[tuple[str, ...], int | None, tuple[int, ...]], Runner] = {}
        self._open = ExitStack()
        really = {device.id: device.merged_into or device.id for device in store.devices()}
        by_device: dict[int, list[ByHand]] = {}
        for one in store.by_hand():
            if one.device_id is not None:
                by_device.setdefault(really[one.device_id], []).append(one)
        self._by_hand = {device: found for device, kept in by_device.items() if (found := by_hand.used_again(kept))}
        self._special = check_devices(store) or bool(self._by_hand)
        self.of(())

    def __enter__(self) -> Runners:
        return self

    def __exit__(self, *exc: object) -> None:
        self._open.close()

    def of(self, names: tuple[str, ...], device: int | None = None, settings: tuple[int, ...] = ()) -> Runner:
        """Return the runner that judges by these sets, by those of the site where there are none, and measures as set for device and study.

        What was set for a test in the study takes the place of all that was set for it in the device: it is what one person saw and chose.
        """
        key = (names or self._options.criteria, device if device in self._by_hand else None, settings)
        if key not in self._made:
            chosen = dict(self._by_hand[key[1]]) if key[1] is not None else {}
            if settings:
                chosen |= by_hand.in_use(self._store.by_hand_numbered(settings))
            options = dataclasses.replace(self._options, criteria=key[0])
            if chosen:
                options = dataclasses.replace(options, parameters=by_hand.merged(options.parameters, chosen))
            self._made[key] = self._open.enter_context(Runner(options))
        return self._made[key]

    def for_study(self, paths: Sequence[Path], settings: tuple[int, ...] = ()) -> Runner:
        """Return the runner for a study: its first image tells the device; `settings` were made by hand for it."""
        names, device = self._chosen(paths) if self._special else ((), None)
        return self.of(names, device, settings)

    def _chosen(self, paths: Sequence[Path]) -> tuple[tuple[str, ...], int | None]:
        with dicom.Intake(self._options.limits) as intake:
            for path in paths:
                instance = intake.read(dicom.Source(path, path.name))
                if instance is not None and instance.get("Rows"):
                    device, names = self._store.device_key(instance.tags)
                    return tuple(names), device
        return (), None


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
