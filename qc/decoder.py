"""Decode compressed pixel data in a child process, where a crashing codec can take nothing else down.

Run as a script it is the child: it reads one request after another (a line of JSON) from its standard input and answers
with frames on its standard output. `Decoder` is the parent's side.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

DELIMITER = b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
CHILD_MEMORY = 8 << 30
START_OF_FRAME = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})  # without tables and extensions; F7: JPEG-LS
JPEG_2000 = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91")
JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"


@dataclass(frozen=True)
class Request:
    """What to decode: a byte range of a file and how it is encoded."""

    path: str
    offset: int
    length: int
    transfer_syntax: str
    encapsulated: bool
    options: dict[str, Any]


class DecodeError(Exception):
    """A frame could not be decoded; `reason` is a reason code."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Decoder:
    """The parent's side: starts the child when it is first needed, and again after it died."""

    def __init__(self, frame_deadline_s: float = 120.0) -> None:
        self.frame_deadline_s = frame_deadline_s
        self._child: subprocess.Popen[bytes] | None = None
        self._busy = False

    def __enter__(self) -> Decoder:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End the child."""
        if self._child:
            _end(self._child)
            self._child = None

    def _start(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            self.close()
            self._child = _spawn()
        return self._child

    def frames(self, request: Request) -> Iterator[NDArray[Any] | DecodeError]:
        """Yield the decoded frames in order, or the error in place of the rest.

        Where an earlier request is not finished yet, this one gets a child of its own: one pipe never carries two images.
        """
        extra = self._busy
        child = _spawn() if extra else self._start()
        self._busy = True
        finished = False
        try:
            assert child.stdin
            try:
                child.stdin.write(json.dumps(asdict(request)).encode() + b"\n")
                child.stdin.flush()
            except OSError as error:
                yield DecodeError("codec_crashed", f"the decoder does not answer: {error}")
                return
            while not finished:
                assert child.stdout
                answer, last = self._answer(child, child.stdout)
                finished = last and child.poll() is None
                yield answer
                if last:
                    return
        finally:
            if extra:
                _end(child)
            else:
                self._busy = False
                if not finished:  # it died, or the caller lost interest: what is left in the pipe must not reach the next request
                    self.close()

    def _answer(self, child: subprocess.Popen[bytes], pipe: IO[bytes]) -> tuple[NDArray[Any] | DecodeError, bool]:
        """Read one frame or an error, and whether it is the last; kill the child where it takes too long."""
        late = threading.Event()

        def give_up() -> None:
            late.set()
            child.kill()

        timer = threading.Timer(self.frame_deadline_s, give_up)
        timer.daemon = True
        timer.start()
        try:
            size = pipe.read(4)
            head = json.loads(pipe.read(struct.unpack("<I", size)[0])) if len(size) == 4 else None
            body = pipe.read(head["bytes"]) if head and "bytes" in head else b""
        finally:
            timer.cancel()
        if head is None or len(body) < head.get("bytes", 0):
            _end(child)
            if late.is_set():
                return DecodeError("decode_timeout", f"decoding one frame took longer than {self.frame_deadline_s:g} s"), True
            return DecodeError("codec_crashed", "the codec crashed on this image"), True
        if "error" in head:
            return DecodeError(head["reason"], head["error"]), True
        return np.frombuffer(body, dtype=head["dtype"]).reshape(head["shape"]), bool(head["last"])


def _spawn() -> subprocess.Popen[bytes]:
    """Start a child. -P and the path of this very file: a folder named qc where the user stands must not take our place."""
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-P", __file__], stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, bufsize=1 << 20)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a child and close its pipes."""
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe:
            pipe.close()


# -- the child ------------------------------------------------------------------------------------------------------


def _send(out: IO[bytes], head: dict[str, Any], body: bytes | memoryview = b"") -> None:
    text = json.dumps(head).encode()
    out.write(struct.pack("<I", len(text)) + text)
    out.write(body)
    out.flush()


def _decode(request: Request, out: IO[bytes]) -> None:
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import UID

    with open(request.path, "rb") as file:
        file.seek(request.offset)
        data = file.read(request.length)
    if request.encapsulated and not data.endswith(DELIMITER):
        data += DELIMITER
    try:
        decoder = get_decoder(UID(request.transfer_syntax))
    except NotImplementedError:
        _send(out, {"reason": "transfer_syntax_unknown", "error": f"transfer syntax {request.transfer_syntax} is not known"})
        return
    if not decoder.is_available:
        missing = "; ".join(decoder.missing_dependencies)
        _send(out, {"reason": "codec_missing", "error": f"no codec for {request.transfer_syntax} is installed ({missing})"})
        return
    count = request.options["number_of_frames"]
    sent = 0
    for array in _arrays(decoder, bytearray(data), request):
        sent += 1
        solid = np.ascontiguousarray(array)
        head = {"dtype": solid.dtype.str, "shape": solid.shape, "bytes": solid.nbytes, "last": sent == count}
        _send(out, head, solid.data.cast("B"))
        if sent == count:
            return
    _send(out, {"reason": "fewer_frames", "error": f"the pixel data hold {sent} of {count} announced frames"})


def codestream_size(data: bytes) -> tuple[int, int] | None:
    """Return (rows, columns) that a JPEG, JPEG-LS or JPEG 2000 codestream gives for itself, None where it cannot be seen.

    JPEG and JPEG-LS: the start of frame (ISO 10918-1 B.2.2). JPEG 2000: the SIZ segment behind SOC (ISO 15444-1 A.5.1).
    """
    soc = data[:4096].find(b"\xff\x4f\xff\x51")
    if soc >= 0 and len(data) >= soc + 24:
        width, height, left, top = struct.unpack(">4I", data[soc + 8 : soc + 24])
        return height - top, width - left
    at = 2
    while data[:2] == b"\xff\xd8" and at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in START_OF_FRAME:
            rows, columns = struct.unpack(">HH", data[at + 5 : at + 9])
            return rows, columns
        else:
            at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return None


def _check_size(data: bytes, request: Request) -> None:
    """A small file may claim to hold an enormous image: no codec sees a codestream that is not of the size of the header."""
    from pydicom.encaps import generate_frames

    rows, columns = request.options.get("rows"), request.options.get("columns")
    try:
        frames = list(generate_frames(data, number_of_frames=request.options["number_of_frames"]))
    except (ValueError, struct.error, EOFError, IndexError):
        return  # the decoder will say what is wrong with it
    for frame in frames:
        told = codestream_size(frame)
        if told is not None and told != (rows, columns) and 0 not in told:
            raise DecodeError("undecodable", f"the compressed image is {told[0]} x {told[1]}, the header says {rows} x {columns}")


def _arrays(decoder: Any, data: bytearray, request: Request) -> Iterator[NDArray[Any]]:
    """Decode frame after frame; 12-bit JPEG, which the permissive codecs cannot do, with imagecodecs where it is installed."""
    if request.encapsulated:
        _check_size(bytes(data), request)
    if request.options.get("bits_allocated") == 1:  # frames may end within a byte: only all of them together can be read
        whole, _ = decoder.as_array(data, raw=True, **request.options)
        yield from whole if request.options["number_of_frames"] > 1 else (whole,)
        return
    if request.transfer_syntax != JPEG_EXTENDED or request.options["bits_stored"] <= 8:
        # gdcm's and Pillow's JPEG 2000 fail on a sign that differs between header and codestream; OpenJPEG's is the reference
        plugin = "pylibjpeg" if request.transfer_syntax in JPEG_2000 and "pylibjpeg" in decoder.available_plugins else ""
        for array, _ in decoder.iter_array(data, raw=True, decoding_plugin=plugin, **request.options):
            yield array
        return
    try:
        from imagecodecs import jpeg_decode  # type: ignore[import-not-found, unused-ignore]
    except ImportError as error:
        raise DecodeError("codec_missing", "12-bit JPEG needs the extra codec: pip install 'pacsqc[codecs12]'") from error
    from pydicom.encaps import generate_frames

    for frame in generate_frames(bytes(data), number_of_frames=request.options["number_of_frames"]):
        yield np.asarray(jpeg_decode(frame, bitspersample=12))


def _child() -> None:
    """Answer requests until the input ends. A border: any error of a codec becomes an answer."""
    import warnings

    warnings.simplefilter("ignore")
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (CHILD_MEMORY, CHILD_MEMORY))
    except (ImportError, ValueError, OSError):  # not on this system: the size checks of the parent remain
        pass
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb", 1 << 20)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # codecs print
    for line in sys.stdin.buffer:
        try:
            _decode(Request(**json.loads(line)), out)
        except DecodeError as error:
            _send(out, {"reason": error.reason, "error": str(error)})
        except Exception as error:
            _send(out, {"reason": "undecodable", "error": f"{type(error).__name__}: {str(error)[:300]}"})


if __name__ == "__main__":
    _child()
