"""What `check` costs over reading: 400 CT slices of 512 x 512 against a bare pydicom pass over the same files.

    python benchmarks/check_throughput.py [--slices 400] [--repeats 5] [--part basic|all] [--large] [--syntaxes]

``--part basic`` runs headers, integrity, blank, clipped and hashes only (limit 2.0); ``--large`` checks 4 000 slices in ten series with one and
with two processes; ``--syntaxes`` compares JPEG 2000, JPEG-LS and RLE with pydicom's own decoding of the same files.

The bare pass is `pydicom.dcmread(file).pixel_array` for each file. Both run in turn in one process, imports and the first
call of each left out; the medians and the median of the ratios are printed. Peak memory is taken in fresh processes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from qc.runner import Options, Report, Runner

LIMIT_RATIO, LIMIT_MEMORY, LIMIT_BASIC, LIMIT_TWO, LIMIT_PACKED = 2.5, 1.25, 2.0, 0.6, 3.5
# headers, integrity, blank, clipped, hashes: what is left when every measure of image quality is switched off
BASIC = ("files", "header", "identity", "slices", "completeness", "protocol", "pixels")
MEASURES = ("pixels.", "pixels.neighbours")
SYNTAXES = {"jpeg_2000": "JPEG 2000 lossless", "jpeg_ls": "JPEG-LS", "rle": "RLE"}


def write_series(folder: Path, slices: int, size: int = 512, series: int = 0) -> None:
    """Write a CT series of a noisy body with lungs and spine and a header of ordinary length; each tenth slice has noise of its own."""
    rng = np.random.default_rng(1)
    y, x = (np.mgrid[:size, :size] - (size - 1) / 2) / size
    noise = [rng.normal(0, 12, (size, size)) for _ in range(10)]
    for number in range(slices):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, CTImageStorage
        meta.MediaStorageSOPInstanceUID = f"2.25.1.{series + 1}.{number + 1}"
        data = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = f"2.25.2.{series}", f"2.25.3.{series}", f"2.25.4.{series}"
        data.PatientName, data.PatientID, data.PatientBirthDate, data.PatientSex = "Bench^Mark", "0815", "19700101", "O"
        data.StudyDate = data.SeriesDate = data.AcquisitionDate = data.ContentDate = "20260101"
        data.StudyTime = data.SeriesTime = data.AcquisitionTime = data.ContentTime = "120000"
        data.Modality, data.Manufacturer, data.ManufacturerModelName, data.StationName = "CT", "Maker", "Model", "CT1"
        data.SeriesDescription, data.ProtocolName, data.BodyPartExamined = "Thorax 1.0", "Thorax", "CHEST"
        data.ImageType, data.SeriesNumber, data.InstanceNumber = ["ORIGINAL", "PRIMARY", "AXIAL"], 2, number + 1
        data.KVP, data.XRayTubeCurrent, data.Exposure, data.ConvolutionKernel = 120, 200 + number % 7, 100, "B30f"
        data.SliceThickness, data.PixelSpacing = 1, [0.7, 0.7]
        data.ImagePositionPatient, data.ImageOrientationPatient = [-180, -180, number], [1, 0, 0, 0, 1, 0]
        data.Rows = data.Columns = size
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
        data.RescaleSlope, data.RescaleIntercept, data.RescaleType = 1, -1024, "HU"
        data.WindowCenter, data.WindowWidth = 40, 400
        for element in range(0x10, 0x40):  # as many private elements as scanners write
            data.add_new((0x0029, 0x0010), "LO", "BENCHMARK") if element == 0x10 else None
            data.add_new((0x0029, 0x1000 + element), "DS", str(element))
        wide = 0.1 + 0.05 * np.sin(np.pi * (number % 400) / 400)
        body = np.where(np.hypot(x / 0.43, y / 0.31) < 1, 1064.0, 24.0)
        for side in (-1, 1):
            body[np.hypot((x - side * 0.2) / wide, y / 0.19) < 1] = 170
        body[np.hypot(x, y - 0.19) < 0.05] = 1400
        image = np.clip(body + np.roll(noise[number % 10], 37 * number, axis=1), 0, 4095).astype(np.uint16)
        data.PixelData = image.tobytes()
        data.save_as(folder / f"IM{number:05d}.dcm", enforce_file_format=True)


def bare(files: list[Path]) -> float:
    """Read and decode every file with pydicom; seconds."""
    start = time.perf_counter()
    for file in files:
        pydicom.dcmread(file).pixel_array  # noqa: B018
    return time.perf_counter() - start


def check(folder: Path, part: str = "all") -> tuple[float, Report]:
    """Run every check, or the basic ones; seconds."""
    with Runner(Options(only=BASIC if part == "basic" else ())) as runner:
        if part == "basic":
            runner.specs = [spec for spec in runner.specs if not spec.id.startswith(MEASURES)]
        start = time.perf_counter()
        report = runner.paths([folder])
        return time.perf_counter() - start, report


def imports_s() -> float:
    """Seconds to start Python and import what a check imports."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "from qc.runner import Runner; Runner()"], check=True)
    return time.perf_counter() - start


def peak_mb(folder: Path) -> float:
    """Peak memory of a fresh process that checks the folder."""
    code = (
        "import resource, sys; from pathlib import Path; from qc.runner import Runner\n"
        "with Runner() as runner: runner.paths([Path(sys.argv[1])])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], check=True, capture_output=True, text=True)
    return float(done.stdout)


def _check_folders(folders: list[Path]) -> float:
    """Check folders one after another in this process; peak memory in MB."""
    with Runner(Options()) as runner:
        for folder in folders:
            runner.paths([folder])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def large(scratch: Path) -> bool:
    """4 000 slices in ten series: one process and two, memory of each; False where a limit is missed."""
    folders = []
    for number in range(10):
        folders.append(scratch / f"series{number}")
        folders[-1].mkdir()
        write_series(folders[-1], 400, series=number)
    seconds, memory = {}, {}
    for workers in (1, 2):
        share = [folders[start::workers] for start in range(workers)]
        with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
            list(pool.map(_check_folders, [folders[:1]] * workers))  # imports apart
            start = time.perf_counter()
            memory[workers] = max(pool.map(_check_folders, share))
            seconds[workers] = time.perf_counter() - start
    one = peak_mb(folders[0])
    ratio = seconds[2] / seconds[1]
    print(f"| 4 000 slices, one process / two | {seconds[1]:.1f} / {seconds[2]:.1f} s |")
    print(f"| two over one (limit {LIMIT_TWO}) | {ratio:.2f} |")
    print(f"| peak memory of a process, 400 / 4 000 slices (limit {LIMIT_MEMORY} times) | {one:.0f} / {memory[1]:.0f} MB |")
    return ratio <= LIMIT_TWO and memory[1] <= LIMIT_MEMORY * one


def syntaxes(folder: Path, scratch: Path, slices: int) -> bool:
    """Compressed files: pydicom's decoding against a whole check."""
    from phantoms.synthetic.encode import ENCODERS, TRANSFER_SYNTAXES

    good = True
    for name, title in SYNTAXES.items():
        packed = scratch / name
        packed.mkdir()
        for file in sorted(folder.iterdir())[:slices]:
            dataset = pydicom.dcmread(file)
            dataset.compress(TRANSFER_SYNTAXES[name], encoding_plugin=ENCODERS.get(name, ""), generate_instance_uid=False)
            dataset.save_as(packed / file.name)
        files = sorted(packed.iterdir())
        bare(files[:3])
        rows = [(bare(files), check(packed)[0]) for _ in range(3)]
        ratio = statistics.median(b / a for a, b in rows)
        print(
            f"| {title}, {slices} slices: bare / check / ratio (limit {LIMIT_PACKED}) | {rows[1][0]:.2f} s / {rows[1][1]:.2f} s / {ratio:.2f} |"
        )
        good = good and ratio <= LIMIT_PACKED
    return good


def main() -> int:
    """Print the table; exit 1 where a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=400)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--part", choices=("basic", "all"), default="all")
    parser.add_argument("--large", action="store_true", help="4 000 slices, one process and two")
    parser.add_argument("--syntaxes", action="store_true", help="compressed files too")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        small, longer = Path(scratch, "small"), Path(scratch, "longer")
        for folder, slices in ((small, args.slices), (longer, 4 * args.slices)):
            folder.mkdir()
            write_series(folder, slices)
        files = sorted(small.iterdir())
        bare(files)
        check(small, args.part)
        rows = [(bare(files), *check(small, args.part)) for _ in range(args.repeats)]
        bare_s = statistics.median(row[0] for row in rows)
        check_s = statistics.median(row[1] for row in rows)
        ratio = statistics.median(row[1] / row[0] for row in rows)
        spent: Counter[str] = Counter()
        for ran in rows[-1][2].ran:
            spent[ran.check] += ran.seconds
        memory = [peak_mb(small), peak_mb(longer)]
        print(f"machine: {platform.machine()}, {platform.python_version()}, pydicom {pydicom.__version__}, numpy {np.__version__}\n")
        print("| what | value |\n|---|---|")
        print(f"| bare pydicom read and decode, {args.slices} slices | {bare_s:.3f} s |")
        print(f"| check, {args.part} checks, one process | {check_s:.3f} s |")
        limit = LIMIT_BASIC if args.part == "basic" else LIMIT_RATIO
        print(f"| ratio (limit {limit}) | {ratio:.2f} |")
        print(f"| start and imports, apart | {imports_s():.2f} s |")
        print(f"| peak memory {args.slices} / {4 * args.slices} slices | {memory[0]:.0f} / {memory[1]:.0f} MB |")
        print(f"| ratio of peak memory (limit {LIMIT_MEMORY}) | {memory[1] / memory[0]:.2f} |")
        good = large(Path(scratch)) if args.large else True
        if args.syntaxes:
            good = good and syntaxes(small, Path(scratch), args.slices)
        print("\n| part | ms a slice |\n|---|---|")
        known = sum(spent.values())
        for name, seconds in spent.most_common():
            print(f"| {name} | {1000 * seconds / args.slices:.3f} |")
        print(f"| reading headers and pixels, the rest | {1000 * (rows[-1][1] - known) / args.slices:.3f} |")
    return int(not good or ratio > limit or memory[1] > LIMIT_MEMORY * memory[0])


if __name__ == "__main__":
    raise SystemExit(main())
