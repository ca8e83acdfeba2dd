"""Who was examined and on what: invented patients and devices, and what a scanner of each modality writes into its headers."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from numpy.random import Generator

FAMILY_NAMES = (
    "Ashgrove", "Bellwether", "Corvane", "Dunmarrow", "Elderfen", "Farrowick", "Glenthorpe", "Harrowmead", "Ivorsdale", "Juniperstone",
    "Kestrelby", "Larkhollow", "Mossgate", "Nettlecombe", "Oakenshaw", "Pemberlow", "Quillfeather", "Rookwood", "Silverbeck", "Thistledown",
)  # fmt: skip
GIVEN_NAMES = {
    "F": ("Alda", "Briony", "Celandine", "Dorrit", "Elowen", "Fenella", "Greta", "Hester", "Isaura", "Jessamy"),
    "M": ("Alaric", "Bertram", "Corin", "Dunstan", "Evander", "Florian", "Gideon", "Hamnet", "Ivo", "Jasper"),
}


@dataclass(frozen=True)
class Patient:
    """A person, or the phantom that stands in for one."""

    name: str
    patient_id: str
    birth_date: dt.date | None
    sex: str = ""
    weight_kg: float | None = None


@dataclass(frozen=True)
class Scanner:
    """A device; serial number, station and hospital are invented."""

    manufacturer: str
    model: str
    serial_number: str
    station: str
    software: str
    field_strength_t: float | None = None
    institution: str = "Example Hospital"


def invent_patient(rng: Generator) -> Patient:
    """Make up a grown-up."""
    sex = "FM"[int(rng.integers(2))]
    given = GIVEN_NAMES[sex][int(rng.integers(len(GIVEN_NAMES[sex])))]
    family = FAMILY_NAMES[int(rng.integers(len(FAMILY_NAMES)))]
    birth_date = dt.date(1935, 1, 1) + dt.timedelta(days=int(rng.integers(65 * 365)))
    return Patient(f"{family}^{given}", f"SYN{int(rng.integers(1_000_000)):06d}", birth_date, sex, float(rng.integers(50, 100)))


def phantom_patient(name: str) -> Patient:
    """Give the entry under which a department files its phantom scans."""
    return Patient(f"PHANTOM^{name}", f"QA-{name}", None, "O")


SCANNERS: dict[str, Scanner] = {
    "MR": Scanner("SIEMENS", "Skyra", "145901", "MRC45901", "syngo MR E11", 3.0),
    "MR15": Scanner("GE MEDICAL SYSTEMS", "SIGNA Artist", "0000152MR07", "MROW07", "DV28.1_R05", 1.5),
    "CT": Scanner("SIEMENS", "SOMATOM Definition AS", "266107", "CTAWP66107", "syngo CT 2014A"),
    "DX": Scanner("Philips Medical Systems", "DigitalDiagnost", "9018342", "DXROOM2", "1.5.3.1"),
    "US": Scanner("Philips Medical Systems", "EPIQ 7C", "US318B0774", "USECHO3", "5.0.1"),
    "NM": Scanner("SIEMENS NM", "Symbia T2", "1774", "NMHEAD1", "8.5.10.2"),
    "PT": Scanner("GE MEDICAL SYSTEMS", "Discovery 690", "0000331PET1", "PETCT1", "pet_coreload.48"),
    "MG": Scanner("HOLOGIC, Inc.", "Selenia Dimensions", "81410062711", "MGROOM1", "1.9.0.432"),
    "SC": Scanner("Example Imaging", "Capture Station", "SC-0042", "CAPTURE1", "2.1"),
}

# SOP class of the single-frame object, or of the object that the modality always uses
SOP_CLASSES: dict[str, str] = {
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "DX": "1.2.840.10008.5.1.4.1.1.1.1",
    "MG": "1.2.840.10008.5.1.4.1.1.1.2",
    "US": "1.2.840.10008.5.1.4.1.1.6.1",
    "NM": "1.2.840.10008.5.1.4.1.1.20",
    "PT": "1.2.840.10008.5.1.4.1.1.128",
    "SC": "1.2.840.10008.5.1.4.1.1.7",
}

PROJECTION: dict[str, Any] = {
    "PresentationIntentType": "FOR PRESENTATION",
    "PixelIntensityRelationship": "LIN",
    "PixelIntensityRelationshipSign": -1,
    "PresentationLUTShape": "IDENTITY",
    "BurnedInAnnotation": "NO",
    "LossyImageCompression": "00",
    "AcquisitionContextSequence": [],
    "DetectorType": "DIRECT",
    "DetectorID": "D1",
    "FieldOfViewShape": "RECTANGLE",
}

# What the modality writes beside patient, study, device, geometry and pixels. A series can replace or drop (None) each of them.
ACQUISITION: dict[str, dict[str, Any]] = {
    "MR": {
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
        "ScanningSequence": "SE",
        "SequenceVariant": "SP",
        "ScanOptions": "",
        "MRAcquisitionType": "2D",
        "SequenceName": "se2d1",
        "AngioFlag": "N",
        "RepetitionTime": 500.0,
        "EchoTime": 20.0,
        "EchoNumbers": 1,
        "EchoTrainLength": 1,
        "NumberOfAverages": 1,
        "ImagedNucleus": "1H",
        "PercentSampling": 100,
        "PercentPhaseFieldOfView": 100,
        "PixelBandwidth": 130.0,
        "ReceiveCoilName": "HeadNeck_20",
        "TransmitCoilName": "Body",
        "InPlanePhaseEncodingDirection": "ROW",
        "FlipAngle": 90.0,
        "SAR": 0.04,
    },
    "CT": {
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "ScanOptions": "HELICAL MODE",
        "KVP": 120,
        "DataCollectionDiameter": 500,
        "ExposureTime": 1000,
        "XRayTubeCurrent": 250,
        "Exposure": 250,
        "FilterType": "0",
        "GeneratorPower": 30,
        "FocalSpots": 1.2,
        "GantryDetectorTilt": 0,
        "TableHeight": 150,
        "RotationDirection": "CW",
        "ConvolutionKernel": "H31s",
        "CTDIvol": 42.5,
        "RescaleType": "HU",
        "WindowCenter": 40,
        "WindowWidth": 400,
    },
    "DX": PROJECTION
    | {
        "ImageType": ["ORIGINAL", "PRIMARY"],
        "KVP": 125,
        "ExposureTime": 6,
        "XRayTubeCurrent": 320,
        "Exposure": 2,
        "DistanceSourceToDetector": 1800,
        "DistanceSourceToPatient": 1700,
        "Grid": "FOCUSED",
        "ViewPosition": "PA",
        "ImageLaterality": "U",
        "PatientOrientation": ["L", "F"],
        "RescaleType": "US",
        "ExposureIndex": 250.0,
        "TargetExposureIndex": 250.0,
        "DeviationIndex": 0.0,
        "AnatomicRegionSequence": [{"CodeValue": "51185008", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Chest"}],
    },
    "MG": PROJECTION
    | {
        "ImageType": ["ORIGINAL", "PRIMARY"],
        "KVP": 29,
        "ExposureTime": 950,
        "XRayTubeCurrent": 100,
        "Exposure": 95,
        "AnodeTargetMaterial": "TUNGSTEN",
        "FilterMaterial": "RHODIUM",
        "BodyPartThickness": 55,
        "CompressionForce": 110,
        "DistanceSourceToDetector": 700,
        "PositionerType": "MAMMOGRAPHIC",
        "PositionerPrimaryAngle": 0,
        "OrganExposed": "BREAST",
        "ViewPosition": "MLO",
        "ImageLaterality": "L",
        "PatientOrientation": ["P", "F"],
        "BreastImplantPresent": "NO",
        "PartialView": "NO",
        "RescaleType": "US",
        "AnatomicRegionSequence": [{"CodeValue": "76752008", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Breast"}],
        "ViewCodeSequence": [
            {
                "CodeValue": "399368009",
                "CodingSchemeDesignator": "SCT",
                "CodeMeaning": "medio-lateral oblique",
                "ViewModifierCodeSequence": [],
            }
        ],
    },
    "US": {
        "ImageType": ["ORIGINAL", "PRIMARY", "", "0001"],
        "TransducerType": "SECTOR_PHASED",
        "TransducerData": "S5-1",
        "ProcessingFunction": "ADULT ECHO",
        "BurnedInAnnotation": "NO",
        "LossyImageCompression": "00",
        "PatientOrientation": "",
    },
    "NM": {
        "ImageType": ["ORIGINAL", "PRIMARY", "STATIC", "EMISSION"],
        "CountsAccumulated": 0,
        "ActualFrameDuration": 300000,
        "AcquisitionTerminationCondition": "CNTS",
        "PatientOrientation": "",
        "PatientOrientationCodeSequence": [],
        "PatientGantryRelationshipCodeSequence": [],
        "RadiopharmaceuticalInformationSequence": [],
        "EnergyWindowInformationSequence": [
            {
                "EnergyWindowName": "Tc99m",
                "EnergyWindowRangeSequence": [{"EnergyWindowLowerLimit": 129.5, "EnergyWindowUpperLimit": 150.5}],
            }
        ],
    },
    "PT": {
        "ImageType": ["ORIGINAL", "PRIMARY"],
        "SeriesType": ["STATIC", "IMAGE"],
        "Units": "BQML",
        "CountsSource": "EMISSION",
        "CorrectedImage": ["DECY", "ATTN", "SCAT", "DTIM", "RAN", "NORM"],
        "DecayCorrection": "START",
        "RandomsCorrectionMethod": "DLYD",
        "CollimatorType": "NONE",
        "ReconstructionMethod": "OSEM",
        "ConvolutionKernel": "5 mm Gauss",
        "FrameReferenceTime": 60000,
        "ActualFrameDuration": 120000,
        "RadiopharmaceuticalInformationSequence": [
            {
                "Radiopharmaceutical": "FDG",
                "RadionuclideTotalDose": 2.5e8,
                "RadionuclideHalfLife": 6586.2,
                "RadionuclideCodeSequence": [{"CodeValue": "77004003", "CodingSchemeDesignator": "SCT", "CodeMeaning": "^18^Fluorine"}],
            }
        ],
        "PatientOrientationCodeSequence": [],
        "PatientGantryRelationshipCodeSequence": [],
    },
    "SC": {"ImageType": ["DERIVED", "SECONDARY"], "ConversionType": "WSD", "BurnedInAnnotation": "YES", "PatientOrientation": ""},
}
