"""Decoding in a child process: a codec that crashes, hangs or fails costs its own image only."""

import os
import signal
import struct
import subprocess
import sys
import time
from dataclasses import replace
from itertools import chain

import numpy as np
import pydicom
import pytest

from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write
from qc import pixels
from qc.decoder import DecodeError, Decoder, Request
from qc.dicom import Intake, Limits

# What the child imports first: a codec that crashes or hangs on some pixel data, as a real one may
CODEC = """
import os, time
import pydicom.pixels.decoders.base as base
decode = base.Decoder.iter_array
def iter_array(self, source, **options):
    if b"CRASH" in source:
        os.abort()
    if b"HANG" in source:
        time.sleep(60)
    return decode(self, source, **options)
base.Decoder.iter_array = iter_array
"""


@pytest.fixture(scope="module", autouse=True)
def bad_codec(tmp_path_factory):
    """Folder with two files of pixel data that the codec cannot bear."""
    folder = tmp_path_factory.mktemp("codec")
    (folder / "sitecustomize.py").write_text(CODEC)
    for kind in ("CRASH", "HANG"):
        (folder / kind).write_text(kind)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        yield folder


@pytest.fixture(scope="module")
def compressed(tmp_path_factory):
    """Two RLE objects of five frames: instances with pydicom's decoded arrays."""
    folder = tmp_path_factory.mktemp("rle")
    objects = chain.from_iterable(make("enhanced_mr", seed, slices=5, matrix=32, transfer_syntax="rle").datasets for seed in (1, 2))
    write(list(objects), folder)
    with Intake() as intake:
        return [(one, pydicom.dcmread(one.path).pixel_array) for one in intake.instances([folder])]


@pytest.fixture(scope="module")
def decoder():
    """One for all tests: each must leave it able to go on."""
    with Decoder(frame_deadline_s=60.0) as made:
        yield made


def decoded(instance, decoder):
    return [getattr(one, "stored", one) for one in pixels.frames(instance, decoder, Limits())]


def is_right(instance, truth, decoder):
    return np.array_equal(decoded(instance, decoder), truth)


REQUEST = Request("nowhere", 0, 0, "1.2.840.10008.1.2.5", True, {"number_of_frames": 1, "bits_stored": 8})


def answer(decoder, request):
    (one,) = decoder.frames(request)
    assert isinstance(one, DecodeError)
    return one.reason


def test_frames_are_those_of_pydicom(compressed, decoder):
    for instance, truth in compressed:
        assert is_right(instance, truth, decoder)


def test_after_a_crash_the_next_image_decodes(compressed, decoder, bad_codec):
    assert answer(decoder, replace(REQUEST, path=str(bad_codec / "CRASH"), length=5)) == "codec_crashed"
    assert is_right(*compressed[0], decoder)


def test_a_child_that_was_killed_between_two_images_is_started_again(compressed, decoder):
    assert is_right(*compressed[0], decoder)
    os.kill(decoder._child.pid, signal.SIGKILL)
    time.sleep(0.2)
    assert is_right(*compressed[1], decoder)


def test_a_child_that_dies_in_the_middle_of_an_image(compressed, decoder):
    instance, truth = compressed[0]
    frames = pixels.frames(instance, decoder, Limits())
    assert np.array_equal(next(frames).stored, truth[0])
    decoder._child.stdout.close()  # what it already said must not count
    decoder._child.stdout = open(os.devnull, "rb")  # noqa: SIM115
    os.kill(decoder._child.pid, signal.SIGKILL)
    assert {one.reason for one in frames} == {"codec_crashed"}
    assert is_right(*compressed[1], decoder)


def test_a_codec_that_never_returns_is_ended(compressed, bad_codec):
    with Decoder(frame_deadline_s=2) as decoder:
        assert answer(decoder, replace(REQUEST, path=str(bad_codec / "HANG"), length=4)) == "decode_timeout"
        decoder.frame_deadline_s = 60
        assert is_right(*compressed[0], decoder)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"path": os.devnull, "transfer_syntax": "1.2.3.4"}, "transfer_syntax_unknown"),
        ({"path": os.devnull}, "undecodable"),
        ({"path": "/nowhere/at/all"}, "undecodable"),
    ],
)
def test_what_cannot_be_decoded_says_why(decoder, change, reason):
    assert answer(decoder, replace(REQUEST, **change)) == reason


def test_fewer_frames_than_announced(compressed, decoder):
    instance, truth = compressed[0]
    options = {"rows": 32, "columns": 32, "samples_per_pixel": 1, "photometric_interpretation": "MONOCHROME2", "bits_allocated": 16,
               "bits_stored": 16, "pixel_representation": 0, "number_of_frames": 7, "planar_configuration": 0, "pixel_keyword": "PixelData",
               "pixel_vr": "OB"}  # fmt: skip
    layout = instance.layout
    *frames, last = decoder.frames(Request(str(instance.path), layout.offset, layout.available, instance.transfer_syntax, True, options))
    assert np.array_equal(frames, truth)
    assert last.reason == "fewer_frames"


def test_a_reader_that_lost_interest_leaves_nothing_for_the_next(compressed, decoder):
    frames = pixels.frames(compressed[0][0], decoder, Limits())
    next(frames)
    frames.close()
    assert is_right(*compressed[1], decoder)


def test_two_images_read_in_turns_do_not_mix(compressed, decoder):
    readers = [pixels.frames(instance, decoder, Limits()) for instance, _ in compressed]
    for number in range(5):
        for reader, (_, truth) in zip(readers, compressed, strict=True):
            one = next(reader)
            assert isinstance(one, pixels.FramePixels)
            assert np.array_equal(one.stored, truth[number])


def test_the_child_ends_with_its_parent(compressed):
    decoder = Decoder()
    assert is_right(*compressed[0], decoder)
    child = decoder._child
    child.stdin.close()
    assert child.wait(5) == 0
    decoder.close()


def test_nothing_in_the_folder_of_the_images_is_executed(tmp_path):
    study = tmp_path / "cd"
    write(make("ct_head", slices=3, matrix=16, transfer_syntax="rle").datasets, study)
    (study / "json.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w')")
    code = "from pathlib import Path; from qc.runner import Runner\nwith Runner() as runner: runner.paths([Path('.')])"
    subprocess.run([sys.executable, "-P", "-c", code], cwd=study, check=True, timeout=60)
    assert not (tmp_path / "executed").exists()


def test_a_codestream_that_claims_to_be_larger_than_the_image(tmp_path, compressed, decoder):
    """JPEG-LS: the start of frame says 20000 x 20000 where the header says 32 x 32."""
    (path,) = write([make("ct_head", slices=2, matrix=32, transfer_syntax="jpeg_ls").datasets[0]], tmp_path)
    data = path.read_bytes()
    start = data.index(b"\xff\xf7")  # SOF55: length, precision, lines, samples a line
    path.write_bytes(data[: start + 5] + struct.pack(">HH", 20000, 20000) + data[start + 9 :])
    with Intake() as intake:
        (instance,) = intake.instances([path])
    assert is_right(*compressed[0], decoder)  # the child is awake
    decoder.frame_deadline_s = 3.0
    (frame,) = pixels.frames(instance, decoder, Limits())
    decoder.frame_deadline_s = 60.0
    assert frame.reason == "undecodable"
