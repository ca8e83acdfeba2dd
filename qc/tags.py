"""The header attributes that are kept of every instance, by keyword.

A pydicom data set costs some 90 kB; the values below cost a few kB and are shared between instances that agree.
"""

from __future__ import annotations

import re

from pydicom.datadict import tag_for_keyword

PATIENT = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "IssuerOfPatientID")
STUDY = ("StudyInstanceUID", "StudyDate", "StudyTime", "AccessionNumber", "StudyDescription", "PatientAge", "PatientWeight", "PatientSize")
SERIES = (
    "SeriesInstanceUID", "Modality", "SeriesNumber", "SeriesDescription", "SeriesDate", "SeriesTime", "ProtocolName", "BodyPartExamined",
    "PatientPosition", "Laterality", "FrameOfReferenceUID",
)  # fmt: skip
EQUIPMENT = (
    "Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "StationName", "SoftwareVersions", "InstitutionName", "TimezoneOffsetFromUTC",
)  # fmt: skip
INSTANCE = (
    "SOPInstanceUID", "SOPClassUID", "InstanceNumber", "ImageType", "AcquisitionNumber", "AcquisitionDate", "AcquisitionTime",
    "AcquisitionDateTime", "ContentDate", "ContentTime", "InstanceCreationDate", "InstanceCreationTime", "SpecificCharacterSet", "ImageLaterality", "ViewPosition",
    "PatientIdentityRemoved", "BurnedInAnnotation", "PresentationIntentType", "ImageComments", "ContentLabel",
)  # fmt: skip
ACQUISITION = (
    "MagneticFieldStrength", "ImagingFrequency", "RepetitionTime", "EchoTime", "EchoNumbers", "FlipAngle", "InversionTime", "ScanningSequence",
    "SequenceVariant", "SequenceName", "PixelBandwidth", "NumberOfAverages", "ReceiveCoilName", "TransmitCoilName",
    "InPlanePhaseEncodingDirection", "PercentPhaseFieldOfView", "AcquisitionMatrix", "KVP", "XRayTubeCurrent", "Exposure", "ConvolutionKernel",
    "ReconstructionDiameter", "DataCollectionDiameter", "DataCollectionCenterPatient", "ReconstructionTargetCenterPatient",
    "GantryDetectorTilt", "FilterType", "ScanOptions", "ContrastBolusAgent", "Units",
    "ExposureIndex", "TargetExposureIndex", "DeviationIndex", "PatientOrientation", "CountsAccumulated", "DecayCorrection", "DecayFactor",
    "CorrectedImage",
)  # fmt: skip
GEOMETRY = (
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "ImagerPixelSpacing", "SliceThickness", "SpacingBetweenSlices",
    "SliceLocation",
)  # fmt: skip
COLLIMATION = tuple(
    device + name
    for device in ("Collimator", "Shutter")
    for name in ("Shape", "LeftVerticalEdge", "RightVerticalEdge", "UpperHorizontalEdge", "LowerHorizontalEdge")
)
STACK = (
    "TemporalPositionIdentifier", "TriggerTime", "DiffusionBValue", "DiffusionGradientOrientation", "ComplexImageComponent", "ImageIndex",
    "NominalPercentageOfCardiacPhase", "FrameReferenceTime", "ActualFrameDuration", "SeriesType", "ASLContext",
)  # fmt: skip
# Nuclear medicine counts the frames of an object by vectors, one number a frame each, and says how far each vector runs
NM_VECTORS: dict[str, str] = {
    "EnergyWindowVector": "NumberOfEnergyWindows",
    "DetectorVector": "NumberOfDetectors",
    "PhaseVector": "NumberOfPhases",
    "RotationVector": "NumberOfRotations",
    "RRIntervalVector": "NumberOfRRIntervals",
    "TimeSlotVector": "NumberOfTimeSlots",
    "SliceVector": "NumberOfSlices",
    "AngularViewVector": "NumberOfFramesInRotation",
    "TimeSliceVector": "NumberOfTimeSlices",
}
COUNTS = (
    "ImagesInAcquisition", "NumberOfTemporalPositions", "CardiacNumberOfImages", "ConcatenationUID", "InConcatenationNumber",
    "InConcatenationTotalNumber", "ConcatenationFrameOffsetNumber", "NumberOfSeriesRelatedInstances", "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances", "ImagesInSeries", *NM_VECTORS, *NM_VECTORS.values(),
)  # fmt: skip
PIXEL = (
    "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "BitsAllocated", "BitsStored",
    "HighBit", "PixelRepresentation", "RescaleSlope", "RescaleIntercept", "RescaleType", "WindowCenter", "WindowWidth", "PixelPaddingValue",
    "SmallestImagePixelValue", "LargestImagePixelValue", "LossyImageCompression", "PixelIntensityRelationship",
    "PixelIntensityRelationshipSign",
)  # fmt: skip

KEPT: dict[int, str] = {
    int(tag_for_keyword(keyword) or 0): keyword
    for keyword in PATIENT + STUDY + SERIES + EQUIPMENT + INSTANCE + ACQUISITION + GEOMETRY + COLLIMATION + STACK + COUNTS + PIXEL
}

# Private attributes, always read through their creator: (group, creator, element byte) -> (name, VR of the value)
PRIVATE: dict[tuple[int, str, int], tuple[str, str]] = {
    (0x0019, "SIEMENS MR HEADER", 0x0A): ("SiemensMosaicImages", "US"),
    (0x0019, "SIEMENS MR HEADER", 0x0C): ("SiemensBValue", "IS"),
    (0x0019, "SIEMENS MR HEADER", 0x0E): ("SiemensGradientDirection", "FD"),
    (0x0051, "SIEMENS MR HEADER", 0x0F): ("SiemensCoil", "LO"),
    (0x0021, "GEMS_RELA_01", 0x4F): ("GELocationsInAcquisition", "SS"),
    (0x0019, "GEMS_ACQU_01", 0x94): ("GETransmitGain", "SS"),
    (0x0019, "GEMS_ACQU_01", 0xBB): ("GEGradientX", "DS"),
    (0x0019, "GEMS_ACQU_01", 0xBC): ("GEGradientY", "DS"),
    (0x0019, "GEMS_ACQU_01", 0xBD): ("GEGradientZ", "DS"),
    (0x0043, "GEMS_PARM_01", 0x2F): ("GEComplexComponent", "SS"),
    (0x0043, "GEMS_PARM_01", 0x39): ("GEBValue", "IS"),
    (0x2001, "Philips Imaging DD 001", 0x03): ("PhilipsBValue", "FL"),
    (0x2001, "Philips Imaging DD 001", 0x08): ("PhilipsPhaseNumber", "IS"),
    (0x2001, "Philips Imaging DD 001", 0x14): ("PhilipsNumberOfEchoes", "SL"),
    (0x2001, "Philips Imaging DD 001", 0x17): ("PhilipsNumberOfPhases", "SL"),
    (0x2001, "Philips Imaging DD 001", 0x18): ("PhilipsNumberOfSlices", "SL"),
    (0x2001, "Philips Imaging DD 001", 0x81): ("PhilipsNumberOfDynamics", "IS"),
    (0x2005, "Philips MR Imaging DD 001", 0x11): ("PhilipsImageType", "CS"),
    (0x2005, "Philips MR Imaging DD 001", 0xB0): ("PhilipsGradientX", "FL"),
    (0x2005, "Philips MR Imaging DD 001", 0xB1): ("PhilipsGradientY", "FL"),
    (0x2005, "Philips MR Imaging DD 001", 0xB2): ("PhilipsGradientZ", "FL"),
}

# The scan protocol that Siemens keeps as text inside a private attribute, and what is read from it
SIEMENS_PROTOCOL = ((0x0029, "SIEMENS CSA HEADER", 0x20), (0x0021, "SIEMENS MR SDS 01", 0x19))
SIEMENS_REFERENCE = re.compile(rb"sTXSPEC\.asNucleusInfo\[0\]\.flReferenceAmplitude\s*=\s*([0-9.]{1,20})[ \t]*\r?\n")  # V

# Attributes whose value is text in the character set of the data set
TEXT_VRS = frozenset({"PN", "LO", "SH", "LT", "ST", "UT", "UC"})
