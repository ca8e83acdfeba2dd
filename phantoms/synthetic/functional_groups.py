"""What holds for all frames of an enhanced MR or CT object: the shared functional groups."""

from __future__ import annotations

from typing import Any

from phantoms.synthetic.dicomize import SeriesSpec, field_strength


def shared_groups(series: SeriesSpec, shape: tuple[int, ...]) -> dict[str, Any]:
    """Functional groups that hold for all frames; `shape` is (rows, columns)."""
    row, column, _ = series.directions
    frame_type = {
        "FrameType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"],
        "PixelPresentation": "MONOCHROME",
        "VolumetricProperties": "VOLUME",
        "VolumeBasedCalculationTechnique": "NONE",
    }
    groups: dict[str, Any] = {
        "PixelMeasuresSequence": [
            {"PixelSpacing": list(series.spacing_mm), "SliceThickness": series.thickness_mm, "SpacingBetweenSlices": series.step_mm}
        ],
        "PlaneOrientationSequence": [{"ImageOrientationPatient": [*row, *column]}],
        "FrameAnatomySequence": [
            {
                "FrameLaterality": "U",
                "AnatomicRegionSequence": [{"CodeValue": "69536005", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Head"}],
            }
        ],
    }
    if series.modality == "MR":
        frequency = field_strength(series.study.scanner).get("ImagingFrequency")
        groups |= {
            "MRImageFrameTypeSequence": [frame_type | {"ComplexImageComponent": "MAGNITUDE", "AcquisitionContrast": "T1"}],
            "MRTimingAndRelatedParametersSequence": [
                {"RepetitionTime": 500.0, "FlipAngle": 90.0, "EchoTrainLength": 1, "RFEchoTrainLength": 1, "GradientEchoTrainLength": 0}
            ],
            "MRImagingModifierSequence": [{"PixelBandwidth": 130.0, "TransmitterFrequency": frequency}],
            "MRReceiveCoilSequence": [{"ReceiveCoilName": "HeadNeck_20", "ReceiveCoilType": "MULTICOIL", "QuadratureReceiveCoil": "NO"}],
            "MRTransmitCoilSequence": [
                {"TransmitCoilName": "Body", "TransmitCoilManufacturerName": series.study.scanner.manufacturer, "TransmitCoilType": "BODY"}
            ],
            "MRAveragesSequence": [{"NumberOfAverages": 1.0}],
            "MRModifierSequence": [
                {
                    "InversionRecovery": "NO",
                    "FlowCompensation": "NONE",
                    "Spoiling": "NONE",
                    "T2Preparation": "NO",
                    "SpectrallySelectedExcitation": "NONE",
                    "SpatialPresaturation": "NONE",
                    "PartialFourier": "NO",
                    "ParallelAcquisition": "NO",
                }
            ],
            "MRFOVGeometrySequence": [
                {
                    "InPlanePhaseEncodingDirection": "ROW",
                    "MRAcquisitionFrequencyEncodingSteps": shape[1],
                    "MRAcquisitionPhaseEncodingStepsInPlane": shape[0],
                    "PercentSampling": 100,
                    "PercentPhaseFieldOfView": 100,
                }
            ],
        }
    else:
        groups |= {
            "CTImageFrameTypeSequence": [frame_type],
            "CTAcquisitionTypeSequence": [
                {"AcquisitionType": "SPIRAL", "TubeAngle": 0.0, "ConstantVolumeFlag": "NO", "FluoroscopyFlag": "NO"}
            ],
            "CTAcquisitionDetailsSequence": [
                {
                    "RotationDirection": "CW",
                    "RevolutionTime": 1.0,
                    "SingleCollimationWidth": 0.6,
                    "TotalCollimationWidth": 19.2,
                    "TableHeight": 150.0,
                    "GantryDetectorTilt": 0.0,
                    "DataCollectionDiameter": 500.0,
                }
            ],
            "CTTableDynamicsSequence": [{"TableSpeed": 10.0, "TableFeedPerRotation": 10.0, "SpiralPitchFactor": 0.55}],
            "CTGeometrySequence": [{"DistanceSourceToDetector": 1085.6, "DistanceSourceToDataCollectionCenter": 595.0}],
            "CTReconstructionSequence": [{"ReconstructionAlgorithm": "FILTER_BACK_PROJ", "ConvolutionKernel": "H31s"}],
            "CTXRayDetailsSequence": [{"KVP": 120, "FocalSpots": [1.2], "FilterType": "NONE", "FilterMaterial": "ALUMINUM"}],
            "CTExposureSequence": [{"ExposureTimeInms": 1000.0, "XRayTubeCurrentInmA": 250.0, "ExposureInmAs": 250.0, "CTDIvol": 42.5}],
        }
    return {"SharedFunctionalGroupsSequence": [groups]}
