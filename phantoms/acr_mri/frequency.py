"""Central frequency, from the header."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from qc.check import Applies, Example, check
from qc.results import Metric, Result
from qc.study import Series

FREQUENCY = Metric(
    "mr.center_frequency", "MHz", "Central frequency", "target", "DICOM ImagingFrequency (0018,0084); ACR MRI Quality Control Manual"
)

MHZ_PER_TESLA = 42.577478518  # of the proton (CODATA)


@dataclass(frozen=True)
class FrequencyParameters:
    """Parameters.

    Attributes
    ----------
    furthest_percent
        A frequency further from gamma times the nominal field than this belongs to another nucleus or is wrong: no value is given.
    """

    furthest_percent: float = 10.0


def _first(value: object) -> object:
    """Frequency of the first channel, where several transmit."""
    return value[0] if isinstance(value, tuple) and value else value


@check(
    id="mr.center_frequency",
    version=1,
    title="ACR MRI phantom: central frequency",
    level="series",
    needs="headers",
    applies=Applies(modalities=frozenset({"MR"}), classes=frozenset({"phantom:"})),
    metrics=(FREQUENCY,),
    params=FrequencyParameters,
    source="DICOM PS3.3 C.8.3.1; gamma of the proton from CODATA",
    examples=(Example("acr_mri_large", {"field_strength_t": 3.0}, values={"mr.center_frequency": (127.7324, 0.0001)}),),
)
def center_frequency(series: Series, params: FrequencyParameters) -> Iterator[Result]:
    """Imaging frequency as the scanner wrote it; its drift from run to run shows a leaking field.

    ``details.field_t`` is the field it stands for (f / 42.5775 MHz/T). Worked number: 63.870 MHz is 1.50009 T.
    """
    values = sorted(
        {
            float(value)
            for frame in series.frames
            for value in [_first(frame.get("ImagingFrequency"))]
            if isinstance(value, (int, float)) and value > 0
        }
    )
    subject = series.subject()
    if not values:
        yield FREQUENCY.missing("not_in_header", subject, message="the header holds no ImagingFrequency (0018,0084)")
        return
    nominal = series.first("MagneticFieldStrength")
    value = values[len(values) // 2]
    facts = {"field_t": value / MHZ_PER_TESLA, "range_hz": (values[-1] - values[0]) * 1e6, "nominal_field_t": nominal}
    if isinstance(nominal, (int, float)) and nominal > 0:
        off = 100 * abs(value / (MHZ_PER_TESLA * nominal) - 1)
        if off > params.furthest_percent:
            yield FREQUENCY.missing("frequency_implausible", subject, frequency_mhz=value, **facts)
            return
    yield FREQUENCY.value(value, subject, **facts)
