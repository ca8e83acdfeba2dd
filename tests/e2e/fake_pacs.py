"""A PACS of our own that answers truly, or errs in the way it is told to."""

from __future__ import annotations

import fnmatch
from collections import Counter
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE, AllStoragePresentationContexts, build_context, evt
from pynetdicom.dimse_primitives import C_GET, C_MOVE
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from flows.network import prepare


@dataclass
class FakePacs:
    """A PACS at loopback.

    `cap`: most answers. `widest`: days; wider queries are refused with `refusal`, or (None) answered with nothing.
    `lose`: gives the UIDs that a retrieve number N fails to send. `on_move`: ``abort``, ``close``, ``a801`` or nothing.
    `counts`: ``right``, ``absent``, ``empty``, ``zero``. `silent`: sub-operations that are lost are not counted as failed.
    """

    instances: list
    cap: int | None = None
    widest: int | None = None
    refusal: int | None = 0xA700
    counts: str = "right"
    image_level: bool = True
    lose: object = None
    silent: bool = False
    on_move: str = ""
    uncounted: bool = False
    known: dict[str, tuple[str, int]] = field(default_factory=dict)
    asked: list[Dataset] = field(default_factory=list)
    queries: list[Dataset] = field(default_factory=list)

    def __enter__(self) -> FakePacs:
        prepare()
        ae = AE("FAKE")
        for model in (
            Verification,
            StudyRootQueryRetrieveInformationModelFind,
            StudyRootQueryRetrieveInformationModelGet,
            StudyRootQueryRetrieveInformationModelMove,
        ):
            ae.add_supported_context(model)
        ae.requested_contexts = [build_context(one.abstract_syntax, ExplicitVRLittleEndian) for one in AllStoragePresentationContexts[:100]]
        handlers = [(evt.EVT_C_FIND, self.find), (evt.EVT_C_GET, self.get), (evt.EVT_C_MOVE, self.move)]
        self.server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        self.port = self.server.server_address[1]
        return self

    def __exit__(self, *_):
        self.server.shutdown()

    # -- what it has

    def matching(self, query):
        def fits(one):
            for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
                wanted = query.get(name)
                wanted = [wanted] if isinstance(wanted, str) else list(wanted or [])
                if any(wanted) and one.get(name) not in wanted:
                    return False
            for name in ("StudyDate", "StudyTime"):
                wanted, value = query.get(name) or "", one.get(name) or ""
                if "-" in wanted:
                    low, _, high = wanted.partition("-")
                    if not low <= value <= high:
                        return False
                elif wanted and not fnmatch.fnmatch(value, wanted):
                    return False
            return True

        return [one for one in self.instances if fits(one)]

    def find(self, event):
        query = event.identifier
        self.queries.append(query)
        level = query.QueryRetrieveLevel
        dates = (query.get("StudyDate") or "").split("-")
        if level == "STUDY" and self.widest is not None and len(dates) == 2 and int(dates[1]) - int(dates[0]) >= self.widest:
            if self.refusal is not None:
                yield self.refusal, None
            return
        if level == "IMAGE" and not self.image_level:
            yield 0xA900, None
            return
        key = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}[level]
        found = {one.get(key): one for one in self.matching(query)}
        series_of = Counter(one.StudyInstanceUID for one in {one.SeriesInstanceUID: one for one in self.instances}.values())
        in_study = Counter(one.StudyInstanceUID for one in self.instances)
        in_series = Counter(one.SeriesInstanceUID for one in self.instances)
        names = ["StudyDate", "StudyTime", "Modality", "SeriesInstanceUID", "SeriesNumber", "SOPInstanceUID", "SOPClassUID"]
        for number, one in enumerate(found.values()):
            if self.cap is not None and number >= self.cap:
                return
            answer = Dataset()
            answer.QueryRetrieveLevel, answer.StudyInstanceUID = level, one.StudyInstanceUID
            for name in names:
                if name in query and name in one:
                    setattr(answer, name, one[name].value)
            if level == "STUDY":
                answer.ModalitiesInStudy = "CT"
                self.count(answer, "NumberOfStudyRelatedSeries", series_of[one.StudyInstanceUID])
                self.count(answer, "NumberOfStudyRelatedInstances", in_study[one.StudyInstanceUID])
            if level == "SERIES":
                self.count(answer, "NumberOfSeriesRelatedInstances", in_series[one.SeriesInstanceUID])
            yield 0xFF00, answer

    def count(self, answer, name, value):
        if self.counts != "absent":
            setattr(answer, name, {"right": value, "empty": None, "zero": 0}[self.counts])

    # -- how it hands it over

    def outgoing(self, event):
        query = event.identifier
        self.asked.append(query)
        found = self.matching(query)
        lost = set(self.lose(len(self.asked), [one.SOPInstanceUID for one in found])) if self.lose else set()
        if self.silent:
            found = [one for one in found if one.SOPInstanceUID not in lost]
        yield len(found)
        for one in found:
            yield 0xFF00, (broken(one) if one.SOPInstanceUID in lost else one)

    def get(self, event):
        if self.uncounted:
            forget_counters(event.assoc)
        yield from self.outgoing(event)

    def move(self, event):
        self.asked.append(event.identifier)
        if self.on_move == "abort":
            event.assoc.abort()
            return
        if self.on_move == "close":
            event.assoc.dul.socket.close()
            return
        known = self.known.get(event.move_destination.strip())
        if known is None:
            yield None, None
            return
        self.asked.pop()
        yield known
        yield from self.outgoing(event)


def broken(one):
    """An instance of a class that nobody proposed: sending it fails."""
    other = Dataset()
    other.update(one)
    del other["SOPClassUID"]  # the element is shared with `one`
    other.file_meta = one.file_meta
    other.SOPClassUID = generate_uid()
    return other


def forget_counters(association) -> None:
    """Have an association leave the counters of sub-operations out of its responses."""
    send = association.dimse.send_msg

    def bare(primitive, context):
        if isinstance(primitive, (C_GET, C_MOVE)):
            for name in ("Remaining", "Completed", "Failed", "Warning"):
                setattr(primitive, f"NumberOf{name}Suboperations", None)
        send(primitive, context)

    association.dimse.send_msg = bare
