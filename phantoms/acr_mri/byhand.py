"""What a person may set by hand, and how one broken part of a test leaves the others alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from qc.errors import ConfigurationError, NotEvaluable
from qc.results import Measurement, Metric, Subject

# where a test was told to measure, and by whom; what else a test has are settings of its method
RECORDED = frozenset({
    "slice_number", "center_row_px", "center_col_px", "roll_deg", "region_radius_mm", "set_by", "set_at", "set_why",
})  # fmt: skip


@dataclass(frozen=True)
class SetByHand:
    """Base of the parameters of the tests: what a person may overrule, and who did it.

    Attributes
    ----------
    slice_number
        Take this slice of the stack (1 to 11) in place of the one the test is made for; 0: the usual one.
    center_row_px, center_col_px
        Centre of the phantom in that slice, in pixels of the picture shown as evidence; negative: as found.
    roll_deg
        Roll of the phantom, clockwise; None: as found.
    set_by, set_at, set_why
        Who set it, when (ISO 8601), why. Needed as soon as anything above is set; recorded with every value.
    """

    slice_number: int = 0
    center_row_px: float = -1.0
    center_col_px: float = -1.0
    roll_deg: float | None = None
    set_by: str = ""
    set_at: str = ""
    set_why: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.slice_number <= 11:
            raise ValueError(f"slice_number is {self.slice_number}; allowed are 1 to 11, or 0 for the usual slice")
        if (self.center_row_px < 0) != (self.center_col_px < 0):
            raise ValueError("center_row_px and center_col_px must be set together")
        if self.by_hand and not (self.set_by and self.set_at and self.set_why):
            raise ValueError("what is set by hand needs set_by, set_at and set_why")

    @property
    def by_hand(self) -> bool:
        """Whether anything was set."""
        return self.slice_number > 0 or self.center_row_px >= 0 or self.roll_deg is not None

    @property
    def center_px(self) -> tuple[float, float] | None:
        """Centre set by hand, or None."""
        return (self.center_row_px, self.center_col_px) if self.center_row_px >= 0 else None

    def number(self, usual: int) -> int:
        """Return the slice to take."""
        return self.slice_number or usual

    def recorded(self) -> dict[str, Any]:
        """Return what goes into the details of every value: nothing where nothing was set."""
        if not self.by_hand:
            return {}
        said = [field for field in fields(self) if field.name in RECORDED and getattr(self, field.name) != field.default]
        return {"by_hand": {field.name: getattr(self, field.name) for field in said}}


@dataclass(frozen=True)
class SetRegionByHand(SetByHand):
    """Base of the parameters of tests with a large round region: its size may be overruled too.

    Attributes
    ----------
    region_radius_mm
        Radius of the large region; 0: that of the phantom (200 or 160 cm2).
    """

    region_radius_mm: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.region_radius_mm <= 120:
            raise ValueError(f"region_radius_mm is {self.region_radius_mm:g}; allowed are 10 to 120 mm, or 0 for the usual size")

    @property
    def by_hand(self) -> bool:
        """Whether anything was set."""
        return super().by_hand or self.region_radius_mm > 0

    def radius_mm(self, usual: float) -> float:
        """Return the radius of the large region."""
        return self.region_radius_mm or usual


@dataclass(frozen=True)
class Override:
    """What a person decided for one check, as it is kept.

    Attributes
    ----------
    check, values
        Check id, and its parameters by name.
    who, at, why
        Person, time (ISO 8601), reason.
    device, again
        Device it was made on; True: the automatic runs of that device use it too.
    """

    check: str
    values: Mapping[str, Any]
    who: str
    at: str
    why: str
    device: str = ""
    again: bool = False

    def __post_init__(self) -> None:
        missing = [name for name in ("check", "who", "at", "why") if not getattr(self, name)]
        if missing:
            raise ConfigurationError(f"what is set by hand needs {', '.join(missing)}")
        if self.again and not self.device:
            raise ConfigurationError("what is to be used again needs the device it holds for")

    def parameters(self) -> dict[str, dict[str, Any]]:
        """Return it in the form of `qc.runner.Options.parameters`."""
        return {self.check: {**self.values, "set_by": self.who, "set_at": self.at, "set_why": self.why}}


def overrides(texts: list[str] | tuple[str, ...], who: str, at: str, why: str, device: str = "", again: bool = False) -> list[Override]:
    """Read settings of the form ``CHECK.PARAMETER=VALUE``, one `Override` a check.

    Raises
    ------
    ConfigurationError
        All problems at once. Whether a parameter exists is told by the runner.
    """
    values: dict[str, dict[str, Any]] = {}
    problems = []
    for text in texts:
        name, equals, value = text.partition("=")
        check, dot, parameter = name.strip().rpartition(".")
        if not equals or not dot or not parameter or not value.strip():
            problems.append(f"{text!r} is not of the form CHECK.PARAMETER=VALUE, e.g. acr_mri.thickness.roll_deg=1.5")
            continue
        values.setdefault(check, {})[parameter] = _number(value.strip())
    if problems:
        raise ConfigurationError(problems)
    return [Override(check, found, who, at, why, device, again) for check, found in values.items()]


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def for_device(kept: list[Override], device: str) -> dict[str, dict[str, Any]]:
    """Return the parameters that automatic runs of a device use; the later of two for one check wins."""
    parameters: dict[str, dict[str, Any]] = {}
    for one in kept:
        if one.again and one.device == device:
            parameters.update(one.parameters())
    return parameters


def attempted(metric: Metric, subject: Subject, region: str, measure: Callable[[], Measurement], **details: Any) -> Iterator[Measurement]:
    """Yield what `measure` gives, or a value that is missing with the reason, so that the other regions go on."""
    try:
        yield measure()
    except NotEvaluable as error:
        yield metric.missing(error.reason, subject, region, message=error.message, **{**details, **error.facts})
