"""The 13 cases of which the answers of six other tools are published (their own rules run on the same positions)."""

from __future__ import annotations

from collections.abc import Callable

from made.stacks import Made, Row, number

PUBLISHED = ("Flywheel", "dicom2nifti", "dcm2niix", "Slicer", "ITK", "highdicom strict", "highdicom 0.28.2 allow_missing")


def _rows(places: list[float], **more: object) -> list[Row]:
    shared = {"Modality": "CT", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2", "ImageType": ("ORIGINAL", "PRIMARY", "AXIAL"), "Rows": 512}
    shared |= {"Columns": 512, "PixelSpacing": (0.7, 0.7), "ImageOrientationPatient": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)}
    return [{**shared, "ImagePositionPatient": (-180.0, -180.0, place), **more} for place in places]


def _stack(places: list[float]) -> Callable[[], Made]:
    return lambda: Made(number(_rows(places)))


def _without(step: float, lost: set[int], count: int = 40) -> Callable[[], Made]:
    return _stack([round(step * place, 4) for place in range(count) if place not in lost])


def _zones() -> Made:
    low = _rows([2.5 * place for place in range(12)], SliceThickness=2.5)
    high = _rows([27.5 + 7.5 * place for place in range(1, 13)], SliceThickness=7.5)
    return Made(number(low + high))


def _volumes(lost: set[tuple[int, int]]) -> Callable[[], Made]:
    def made() -> Made:
        rows = [
            dict(row, TemporalPositionIdentifier=volume + 1, Modality="MR")
            for volume in range(30)
            for place, row in enumerate(_rows([3.0 * place for place in range(20)]))
            if (volume, place) not in lost
        ]
        return Made(number(rows))

    return made


CASES: dict[str, tuple[tuple[str, ...], Callable[[], Made]]] = {
    "regular 0.625 mm, 2 decimals": (
        ("FAIL", "ok", "ok", "warn", "warn", "ok", "FAIL"),
        _stack([round(0.625 * place, 2) for place in range(40)]),
    ),
    "regular 1/3 mm, 2 decimals": (
        ("FAIL", "ok", "ok", "warn", "warn", "FAIL", "FAIL"),
        _stack([round(place / 3, 2) for place in range(40)]),
    ),
    "1.6 mm, 0.5 um jitter": (
        ("ok", "ok", "ok", "ok", "warn", "ok", "FAIL"),
        _stack([1.6 * place + 5e-4 * (-1) ** (place * place // 3) for place in range(40)]),
    ),
    "1 slice missing at 1.0 mm": (("FAIL", "FAIL", "warn", "warn", "warn", "FAIL", "ok (s=1)"), _without(1.0, {17})),
    "1 missing at 0.2 mm": (("FAIL", "FAIL", "ok", "warn", "warn", "FAIL", "ok"), _without(0.2, {17})),
    "1 missing at 0.1 mm": (("FAIL", "ok", "ok", "warn", "warn", "FAIL", "ok"), _without(0.1, {17})),
    "alternate slices missing": (("ok",) * 7, _without(2.0, set(range(1, 40, 2)))),
    "last 5 missing": (("ok",) * 7, _without(2.0, set(range(35, 40)))),
    "+0.4 slice fractional gap": (
        ("FAIL", "FAIL", "warn", "warn", "warn", "FAIL", "FAIL"),
        _stack([2.0 * (place + (0.4 if place > 20 else 0)) for place in range(40)]),
    ),
    "two-zone CT 2.5/7.5 mm": (("FAIL", "FAIL", "warn", "warn", "warn", "FAIL", "ok"), _zones),
    "4-D, 30 volumes complete": (("FAIL", "n/a", "n/a", "warn", "warn", "FAIL", "ok"), _volumes(set())),
    "4-D, 1 image lost": (("FAIL", "n/a", "n/a", "warn", "warn", "FAIL", "ok"), _volumes({(12, 7)})),
    "4-D, one location lost in all": (
        ("FAIL", "n/a", "n/a", "warn", "warn", "FAIL", "ok"),
        _volumes({(volume, 7) for volume in range(30)}),
    ),
}
