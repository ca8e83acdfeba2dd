"""What the transmitter was set to, from the header: it rises when a coil, a cable or the amplifier ages."""

from __future__ import annotations

from collections.abc import Iterator

from qc.check import Applies, Example, NoParameters, check
from qc.results import Measurement, Metric, Result
from qc.study import Series

SOURCE = "ACR MRI Quality Control Manual, transmitter gain or attenuation; AAPM TG-284: within 5 % of the baseline"
GAIN = Metric("mr.transmit_gain", "dB", "Transmitter gain (GE)", "target", SOURCE)
AMPLITUDE = Metric("mr.reference_amplitude", "V", "Reference amplitude of the transmitter (Siemens)", "target", SOURCE)

DB_PER_STEP = 0.1  # GE counts in tenths of a decibel
MOST_STEPS, MOST_VOLTS = 400, 2000.0


@check(
    id="mr.transmitter",
    version=1,
    title="MR phantoms: transmitter gain",
    level="series",
    needs="headers",
    applies=Applies(modalities=frozenset({"MR"}), classes=frozenset({"phantom:"})),
    metrics=(GAIN, AMPLITUDE),
    source="GE (0019,xx94) of GEMS_ACQU_01; Siemens scan protocol, sTXSPEC.asNucleusInfo[0].flReferenceAmplitude",
    examples=(
        Example("acr_mri_large", {"transmit": 135}, values={"mr.transmit_gain": (13.5, 1e-9)}),
        Example("acr_mri_large", {"transmit": 300.5, "vendor": "SIEMENS"}, values={"mr.reference_amplitude": (300.5, 1e-9)}),
    ),
)
def transmitter(series: Series, params: NoParameters) -> Iterator[Result]:
    """Transmitter setting as the scanner wrote it into the images; nothing where it did not (Philips writes none that is documented).

    GE: result of the automatic prescan in steps of 0.1 dB, (0019,xx94). Siemens: the voltage that a pulse of 1 ms needs to turn by 180
    degrees, from the text of the scan protocol, (0029,xx20) or, in enhanced images, (0021,xx19). Both belong to coil, phantom
    and its place: compare them with the baseline of the same set-up.

    Worked number: 135 steps are 13.5 dB.
    """
    gain = _setting(series, GAIN, "GETransmitGain", DB_PER_STEP, MOST_STEPS)
    amplitude = _setting(series, AMPLITUDE, "SiemensReferenceAmplitude", 1.0, MOST_VOLTS)
    yield from (one for one in (gain, amplitude) if one is not None)


def _setting(series: Series, metric: Metric, name: str, unit: float, most: float) -> Measurement | None:
    """Return the setting that most images have; None where none has it."""
    values = [float(value) for frame in series.frames if isinstance(value := frame.get(name), (int, float))]
    if not values:
        return None
    value = max(set(values), key=values.count)
    facts = {"images": len(values), "different": sorted(set(values))[:8], "coil": str(series.first("TransmitCoilName") or "")}
    if not 0 < value <= most:
        return metric.missing("setting_implausible", series.subject(), message=f"the header gives {value:g}", **facts)
    return metric.value(value * unit, series.subject(), **facts)
