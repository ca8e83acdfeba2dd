"""Talk to a PACS over DICOM: is it there, what has it, hand it over. Nothing is believed that was not counted.

The answers of a PACS are treated as what they are: counts that are absent or 0 are unknown; a list that is as long as a
known limit may have been cut; a retrieve that "succeeded" has succeeded when the instances are here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from pydicom.dataset import Dataset
from pynetdicom import ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    PatientRootQueryRetrieveInformationModelFind,
    PatientRootQueryRetrieveInformationModelGet,
    PatientRootQueryRetrieveInformationModelMove,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from flows.network import Tls, entity, hasten
from flows.pipeline import Pipeline
from flows.spool import DiskFull, Kept, Spool, file_head
from qc.errors import ConfigurationError, Transient

FIND = {"study": StudyRootQueryRetrieveInformationModelFind, "patient": PatientRootQueryRetrieveInformationModelFind}
GET = {"study": StudyRootQueryRetrieveInformationModelGet, "patient": PatientRootQueryRetrieveInformationModelGet}
MOVE = {"study": StudyRootQueryRetrieveInformationModelMove, "patient": PatientRootQueryRetrieveInformationModelMove}
PENDING = (0xFF00, 0xFF01)
UNKNOWN_DESTINATION = 0xA801
CONTEXTS = 126  # of 128: one is the retrieve itself
CLASSES = [context.abstract_syntax for context in AllStoragePresentationContexts]
SYNTAXES = ALL_TRANSFER_SYNTAXES
# What is asked for where only headers are wanted.
HEADERS = (
    "SOPInstanceUID", "SOPClassUID", "InstanceNumber", "ImageType", "StudyDate", "StudyTime", "SeriesDate", "SeriesTime", "AcquisitionDate",
    "AcquisitionTime", "ContentDate", "ContentTime", "Modality", "Manufacturer", "ManufacturerModelName", "StationName",
    "DeviceSerialNumber", "SoftwareVersions", "InstitutionName", "StudyDescription", "SeriesDescription", "ProtocolName", "SeriesNumber",
    "AcquisitionNumber", "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "PatientPosition", "BodyPartExamined",
    "FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient", "SliceLocation", "SliceThickness", "SpacingBetweenSlices",
    "PixelSpacing", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel",
    "PhotometricInterpretation", "RescaleSlope", "RescaleIntercept", "NumberOfFrames", "KVP", "XRayTubeCurrent", "Exposure",
    "ConvolutionKernel", "RepetitionTime", "EchoTime", "FlipAngle", "MagneticFieldStrength", "ImagesInAcquisition",
)  # fmt: skip


class DestinationUnknown(ConfigurationError):
    """The PACS does not know the AE title that it should send to. Asking again does not help."""


class HungUp(DestinationUnknown):
    """The PACS hung up in place of an answer, which is how some say that. It may also be this one study that it stumbles over."""


@dataclass(frozen=True)
class Quirks:
    """What a PACS does in its own way.

    Attributes
    ----------
    model
        Information model it speaks.
    cap
        Most answers it gives to a query; a list of that length may have been cut.
    widest_days
        Days that one query may span.
    empty_when_wide
        It answers nothing, in place of an error, where a query is too wide.
    time_ranges
        It takes a range of StudyTime within one day.
    image_level
        It answers queries at the level of images.
    uid_lists
        It takes several instances in one retrieve.
    """

    model: Literal["study", "patient"] = "study"
    cap: int | None = None
    widest_days: int = 31
    empty_when_wide: bool = False
    time_ranges: bool = True
    image_level: bool = True
    uid_lists: bool = True


@dataclass(frozen=True)
class Peer:
    """A PACS, how to reach it, and who we are to it.

    Attributes
    ----------
    retrieve
        ``get``: over the association that asks. ``move``: the PACS sends to `destination`, an AE title that it knows and
        that must be that of our receiver.
    answer_s
        How long it may be silent while it works.
    """

    name: str
    host: str
    port: int
    title: str
    own_title: str = "PACSQC"
    retrieve: Literal["get", "move"] = "get"
    destination: str = ""
    tls: Tls | None = None
    connect_s: float = 10.0
    answer_s: float = 120.0
    quirks: Quirks = field(default_factory=Quirks)


@dataclass(frozen=True)
class Moved:
    """How a C-GET or C-MOVE ended, as the PACS tells it. A counter it did not send is None, not 0.

    `status` is None where no final answer came (the PACS hung up or fell silent).
    """

    status: int | None
    completed: int | None = None
    failed: int | None = None
    warning: int | None = None
    remaining: int | None = None
    failed_uids: tuple[str, ...] = ()

    @classmethod
    def read(cls, status: Dataset, identifier: Dataset | None) -> Moved:
        """Read a response. Counters of earlier, pending responses are not taken for final ones."""
        names = ("Completed", "Failed", "Warning", "Remaining")
        counters = (status.get(f"NumberOf{name}Suboperations") for name in names)
        listed = identifier.get("FailedSOPInstanceUIDList") if identifier else None
        uids = [listed] if isinstance(listed, str) else list(listed or [])
        code = status.get("Status")
        return cls(None if code is None else int(code), *(None if one is None else int(one) for one in counters), tuple(map(str, uids)))


class Pacs:
    """Conversations with one PACS. A context manager; queries share an association, each retrieve has its own."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self._open: Association | None = None

    def __enter__(self) -> Pacs:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the association of the queries."""
        if self._open is not None and self._open.is_established:
            self._open.release()
        self._open = None

    def echo(self) -> float:
        """C-ECHO; return how long the answer took, in seconds.

        Raises
        ------
        Transient, ConfigurationError
            If the PACS cannot be reached, or will not talk to us.
        """
        with self._talk([build_context(Verification)]) as association:
            start = time.perf_counter()
            status = association.send_c_echo().get("Status")
            if status != 0:
                raise Transient(f"{self.peer.name}: C-ECHO was not answered with success ({_hex(status)})")
            return time.perf_counter() - start

    def find(self, level: str, keys: dict[str, Any]) -> tuple[list[Dataset], int]:
        """C-FIND; return the answers and the final status, whatever it is.

        Raises
        ------
        Transient
            If no final answer came.
        """
        query = Dataset()
        query.QueryRetrieveLevel = level
        for keyword, value in keys.items():
            setattr(query, keyword, value)
        model = FIND[self.peer.quirks.model]
        if self._open is None or not self._open.is_established:
            self._open = self._associate([build_context(model)])
        answers = []
        for status, identifier in self._open.send_c_find(query, model):
            code = status.get("Status")
            if code is None:
                raise Transient(f"{self.peer.name}: the query was broken off without an answer")
            if code not in PENDING:
                return answers, int(code)
            if identifier is not None:
                answers.append(identifier)
        raise Transient(f"{self.peer.name}: the query ended without a final answer")

    def get(self, keys: dict[str, Any], spool: Spool, classes: Sequence[str] = ()) -> tuple[Moved, list[Kept]]:
        """C-GET into a spool; return how it ended by the word of the PACS, and what came. `classes`: the storage classes to expect."""
        pipeline = Pipeline()
        model = GET[self.peer.quirks.model]
        storage = storage_contexts(classes)
        roles = [build_role(uid, scp_role=True) for uid in dict.fromkeys(str(one.abstract_syntax) for one in storage)]

        def store(event: evt.Event) -> int:
            request = event.request
            head = file_head(str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID), str(event.context.transfer_syntax))
            try:
                pipeline.submit(partial(spool.keep, str(request.AffectedSOPInstanceUID), (head, request.DataSet.getbuffer())))
            except (DiskFull, OSError):
                return 0xA700
            return 0x0000

        with self._talk([build_context(model), *storage], roles, [(evt.EVT_C_STORE, store)]) as association:
            try:
                with pipeline:
                    ended = self._end(association.send_c_get(_identifier(keys), model))
            except (DiskFull, OSError):
                ended = Moved(0xA700, len(pipeline.came))
            return ended, pipeline.came

    def headers(self, study_uid: str, series_uid: str) -> list[Dataset]:
        """C-FIND at the level of images with every attribute that header checks use; a PACS gives those it keeps in its database.

        Raises
        ------
        Transient
            If no final answer came, or the PACS refuses.
        """
        keys = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid, **dict.fromkeys(HEADERS, "")}
        answers, status = self.find("IMAGE", keys)
        if status != 0:
            raise Transient(f"{self.peer.name} refuses the headers of a series ({_hex(status)})")
        for one in answers:
            one.StudyInstanceUID, one.SeriesInstanceUID = study_uid, series_uid
            one.pop("QueryRetrieveLevel", None)
        return answers

    def move(self, keys: dict[str, Any]) -> Moved:
        """C-MOVE to the destination of the peer; return how it ended by the word of the PACS.

        Raises
        ------
        DestinationUnknown
            If the PACS says so, or hangs up in place of an answer, which is how some say it.
        """
        peer, model = self.peer, MOVE[self.peer.quirks.model]
        with self._talk([build_context(model)]) as association:
            start, heard = time.monotonic(), []
            ended = self._end(association.send_c_move(_identifier(keys), peer.destination, model), heard)
        if ended.status == UNKNOWN_DESTINATION:
            raise DestinationUnknown(f"{peer.name} does not know the move destination {peer.destination!r}: enter this AE title there")
        if ended.status is None and not heard and time.monotonic() - start < peer.answer_s:
            raise HungUp(
                f"{peer.name} hung up when asked to send to {peer.destination!r}: most likely it does not know this move destination"
            )
        return ended

    def _end(self, responses: Iterator[tuple[Dataset, Dataset | None]], heard: list[Moved] | None = None) -> Moved:
        """Follow a retrieve to its end. `heard` is given the responses before the last."""
        last = Moved(None)
        for status, identifier in responses:
            last = Moved.read(status, identifier)
            if heard is not None and last.status in PENDING:
                heard.append(last)
        return last if last.status not in PENDING else Moved(None)

    @contextmanager
    def _talk(self, contexts: list[PresentationContext], roles: Sequence[Any] = (), handlers: Sequence[Any] = ()) -> Iterator[Association]:
        association = self._associate(contexts, roles, handlers)
        try:
            yield association
        finally:
            if association.is_established:
                association.release()

    def _associate(self, contexts: list[PresentationContext], roles: Sequence[Any] = (), handlers: Sequence[Any] = ()) -> Association:
        peer = self.peer
        ae = entity(peer.own_title)
        ae.connection_timeout = ae.acse_timeout = peer.connect_s
        ae.dimse_timeout = ae.network_timeout = peer.answer_s
        secure = (peer.tls.context(server=False), peer.host) if peer.tls else None
        one = ae.associate(
            peer.host,
            peer.port,
            contexts,
            ae_title=peer.title,
            max_pdu=0,
            ext_neg=list(roles),
            tls_args=secure,
            evt_handlers=list(handlers),
        )
        if one.is_established:
            wanted = contexts[0].abstract_syntax
            if any(context.abstract_syntax == wanted for context in one.accepted_contexts):
                hasten(one, waiting=True)
                return one
            one.release()
            raise ConfigurationError(f"{peer.name} offers no {wanted.name} to {peer.own_title!r}")
        if one.is_rejected and getattr(one.acceptor.primitive, "result", None) == 0x01:
            raise ConfigurationError(
                f"{peer.name} rejects us: it is called {peer.title!r} and we call ourselves {peer.own_title!r}; both must be known there"
            )
        how = "rejects us for now" if one.is_rejected else "cannot be reached"
        raise Transient(f"{peer.name} {how} ({peer.host}:{peer.port}, {peer.title!r})")


def storage_contexts(classes: Sequence[str]) -> list[PresentationContext]:
    """Return what is proposed for a C-GET.

    Few known classes: one context for each transfer syntax, so the PACS can send each instance as it is stored. Else the known
    classes first, then the others, up to the number that an association allows, each with all transfer syntaxes.
    """
    known = list(dict.fromkeys(classes))
    if known and len(known) * len(SYNTAXES) <= CONTEXTS:
        return [build_context(uid, syntax) for uid in known for syntax in SYNTAXES]
    every = list(dict.fromkeys([*known, *CLASSES]))[:CONTEXTS]
    return [build_context(uid, SYNTAXES) for uid in every]


def _identifier(keys: dict[str, Any]) -> Dataset:
    identifier = Dataset()
    images, series = keys.get("SOPInstanceUID"), keys.get("SeriesInstanceUID")
    identifier.QueryRetrieveLevel = "IMAGE" if images else "SERIES" if series else "STUDY"
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    return identifier


def _hex(status: object) -> str:
    return f"status 0x{status:04X}" if isinstance(status, int) else "no answer"
