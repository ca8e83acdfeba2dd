"""Make `qc/standard/tables.json` from the tables of an installed highdicom: types of the top-level attributes of the image modules.

    pip install highdicom; python benchmarks/standard_tables.py

Only types 1, 1C and 2 of attributes outside sequences, only the kinds of objects named below. Nothing is typed in by hand.
"""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import json
from pathlib import Path

from pydicom.datadict import tag_for_keyword

OBJECTS = (
    "computed-radiography-image", "digital-x-ray-image", "digital-mammography-x-ray-image", "breast-tomosynthesis-image",
    "digital-intra-oral-x-ray-image", "ct-image", "enhanced-ct-image", "legacy-converted-enhanced-ct-image", "mr-image", "enhanced-mr-image",
    "enhanced-mr-color-image", "legacy-converted-enhanced-mr-image", "ultrasound-image", "ultrasound-multi-frame-image",
    "nuclear-medicine-image", "positron-emission-tomography-image", "enhanced-pet-image", "legacy-converted-enhanced-pet-image",
    "x-ray-angiographic-image", "enhanced-xa-image", "x-ray-radiofluoroscopic-image", "enhanced-xrf-image", "x-ray-3d-angiographic-image",
    "secondary-capture-image", "multi-frame-single-bit-secondary-capture-image", "multi-frame-grayscale-byte-secondary-capture-image",
    "multi-frame-grayscale-word-secondary-capture-image", "multi-frame-true-color-secondary-capture-image",
)  # fmt: skip
STRICTEST = ("1", "1C", "2")


def main() -> None:
    folder = importlib.resources.files("highdicom") / "_standard"
    attributes, objects, classes = (
        json.loads((folder / f"{name}.json").read_text()) for name in ("module_attribute_map", "iod_module_map", "sop_class_iod_map")
    )
    kept = {name: {one["key"]: one["usage"] for one in objects[name]} for name in OBJECTS}
    modules: dict[str, dict[str, str]] = {}
    for module in sorted({module for usages in kept.values() for module in usages}):
        types: dict[str, str] = {}
        for one in attributes[module]:
            tag = tag_for_keyword(one["keyword"])
            if one["path"] or one["type"] not in STRICTEST or tag is None:
                continue
            known = types.get(one["keyword"], "2")
            types[one["keyword"]] = min(known, one["type"], key=STRICTEST.index)
        if types:
            modules[module] = dict(sorted(types.items()))
    tables = {
        "origin": f"highdicom {importlib.metadata.version('highdicom')}, highdicom/_standard/*.json",
        "licence": "MIT, Copyright 2020 MGH Computational Pathology; the text stands in LICENSE.highdicom.txt",
        "edition": "DICOM PS3.3 and PS3.4 as that release holds them; it does not name the edition",
        "classes": {uid: name for uid, name in sorted(classes.items()) if name in kept},
        "objects": {name: {module: usage for module, usage in usages.items() if module in modules} for name, usages in kept.items()},
        "modules": modules,
    }
    target = Path(__file__).parent.parent / "qc" / "standard" / "tables.json"
    target.write_text(json.dumps(tables, indent=0, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
