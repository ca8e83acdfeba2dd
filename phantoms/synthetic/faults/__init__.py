"""Break a study on purpose, so that what must be found is known.

`inject` works on any list of data sets of one study, synthetic or real. It copies them, breaks one thing, and gives them back; a fault of
the file itself (cut off, empty, no DICOM) puts the bytes of that file in place of the data set, which `encode.write` writes as they are.
A new fault is a function in the module of its topic, declared with `registry.fault`.

>>> broken = inject("lost_slice", study.datasets, np.random.default_rng(1))    # doctest: +SKIP
"""

from phantoms.synthetic.faults import artefacts, files, headers, history, identity, pixels, relations, slices, stacks  # noqa: F401  (each enters its faults)
from phantoms.synthetic.faults.registry import FAULTS, Condition, Fault, Files, Injector, inject

__all__ = ["FAULTS", "Condition", "Fault", "Files", "Injector", "inject"]
