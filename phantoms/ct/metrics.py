"""Metrics of the CT phantoms, each declared once."""

from __future__ import annotations

from qc.results import Metric

HU = "[hnsf'U]"

CT_NUMBER = Metric("ct.hu", HU, "CT number of a material", "target", "ACR CT QC manual; CatPhan manual; metrology 2.1, 2.2")
LINEARITY = Metric("ct.hu_linearity", "1", "Correlation of CT numbers with their nominal values", "higher", "CatPhan manual, sensitometry")
HU_UNIFORMITY = Metric("ct.hu_uniformity", HU, "CT number at the edge minus the centre", "target", "ACR CT QC manual; IEC 61223-3-5")
NOISE = Metric("ct.noise", HU, "Noise: standard deviation in a uniform region", "lower", "IEC 61223-3-5; metrology 2.3")
CNR = Metric("ct.cnr", "1", "Contrast-to-noise ratio |A - B| / SD of B", "higher", "ACR CT QC manual, low-contrast performance")
DETECTABILITY = Metric("ct.detectability", "1", "Detectability of a disc by a non-prewhitening observer", "higher", "AAPM TG-233")
THICKNESS = Metric("ct.thickness", "mm", "Slice thickness", "target", "CatPhan manual, wire ramps; ACR CT QC manual")
DISTANCE = Metric("ct.distance", "mm", "Distance of two marks", "target", "CatPhan manual, spatial linearity; ACR module 3")
MTF50 = Metric("ct.mtf50", "1/mm", "Frequency at which the MTF is 50 %", "higher", "ICRU 87; AAPM TG-233")
MTF10 = Metric("ct.mtf10", "1/mm", "Frequency at which the MTF is 10 %", "higher", "ICRU 87; AAPM TG-233")
NPS_PEAK = Metric("ct.nps_peak", "1/mm", "Frequency of the peak of the noise power spectrum", "target", "ICRU 87; AAPM TG-233")
NPS_MEAN = Metric("ct.nps_mean", "1/mm", "Mean frequency of the noise power spectrum", "target", "ICRU 87; AAPM TG-233")
RESOLVED = Metric("ct.resolved", "1/cm", "Finest line pairs that are resolved", "higher", "ACR CT QC manual; CatPhan manual")
ROLL = Metric("ct.roll", "deg", "Roll of the phantom, clockwise on the screen", "target", "metrology 2.1, 2.2")
TILT = Metric("ct.tilt", "deg", "Angle of the phantom's axis with the normal of the slices", "target", "metrology 2.1, 2.2")
ORIGIN = Metric("ct.origin", "mm", "Place of the insert module along the normal of the slices", "none", "CatPhan manual; ACR module 1")
OFFSET = Metric(
    "ct.offset", "mm", "Distance of the phantom's middle from the middle of the field of view", "target", "ACR CT QC manual, alignment"
)
RING = Metric("ct.ring", HU, "Amplitude of the strongest ring", "lower", "metrology 2.3, rings")
CHANGE = Metric("ct.change", "%", "Change of the noise against its baseline", "target", "ACR CT QC manual, daily QC; EC RP162")
