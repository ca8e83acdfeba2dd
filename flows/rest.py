"""Talk to Orthanc over its own interface: the change feed for what is new, its lists for counts, files as they are stored.

`Rest` answers the same calls as `flows.dimse.Pacs`. Unlike a query by date, the feed tells of whatever came, also of late
instances of old studies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any
from urllib.parse import quote

import requests
from pydicom.dataset import Dataset

from flows.dimse import Moved, Quirks
from flows.http_peer import HttpPeer
from flows.multipart import Truncated, keep_file
from flows.spool import DiskFull, Kept, Spool
from qc.errors import ConfigurationError, Transient

PAGE = 1000
SUCCESS, REFUSED, CANNOT = 0x0000, 0xA700, 0xC000
CHANGES = {"NewStudy": "studies", "StableStudy": "studies", "NewInstance": "instances"}
STUDY_TAGS = ("StudyInstanceUID", "StudyDate", "StudyTime", "StudyDescription")
SERIES_TAGS = ("SeriesInstanceUID", "Modality", "SeriesNumber", "SeriesDescription", "StationName")


@dataclass(frozen=True)
class RestPeer(HttpPeer):
    """An Orthanc."""

    quirks: Quirks = field(default_factory=lambda: Quirks(uid_lists=False))
    retrieve: str = field(default="rest", init=False)
    destination: str = field(default="", init=False)


class Rest:
    """Conversations with one Orthanc. A context manager."""

    def __init__(self, peer: RestPeer) -> None:
        self.peer = peer
        self._session = peer.session()

    def __enter__(self) -> Rest:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def echo(self) -> float:
        """Ask who it is; return how long the answer took, in seconds."""
        start = perf_counter()
        self._json("/system")
        return perf_counter() - start

    def identity(self) -> str:
        """Return what tells this database of Orthanc from one that was made anew; empty where it does not tell."""
        return str(self._json("/system").get("DatabaseServerIdentifier", ""))

    def changed(self, since: int) -> tuple[list[Dataset], int, bool]:
        """Return the studies that something happened to since a number of the feed, up to which number, and whether that is all.

        Where the feed ends before `since` it was begun anew, and is read from its start.
        """
        page = self._json(f"/changes?since={since}&limit={PAGE}")
        if int(page["Last"]) < since:
            page = self._json(f"/changes?since=0&limit={PAGE}")
        found: dict[str, Dataset] = {}
        known: set[str] = set()
        for one in page["Changes"]:
            kind, key = CHANGES.get(one["ChangeType"]), one["ID"]
            if kind is None or key in known or key in found:
                continue
            study = self._json(f"/studies/{key}" if kind == "studies" else f"/instances/{key}/study", absent=None)
            if study is None:  # deleted since
                known.add(key)
                continue
            found[study["ID"]] = self._study(study)
            if kind == "instances":
                known.update(self._json(f"/studies/{study['ID']}/instances?expand=false", absent=[], ids=True))
        return list(found.values()), int(page["Last"]), bool(page["Done"])

    def find(self, level: str, keys: dict[str, Any]) -> tuple[list[Dataset], int]:
        """List the studies of a time, the series of a study or the images of a series; the status is like that of a C-FIND."""
        if level == "STUDY":
            query = {name: str(keys[name]) for name in ("StudyDate", "StudyTime") if keys.get(name)}
            found = self._json("/tools/find", {"Level": "Study", "Query": query, "Expand": True})
            return [self._study(one) for one in found], SUCCESS
        study = self._lookup(str(keys["StudyInstanceUID"]))
        if study is None:
            return [], SUCCESS
        series = self._json(f"/studies/{study}/series")
        if level == "SERIES":
            return [_answer(one, SERIES_TAGS, NumberOfSeriesRelatedInstances=len(one["Instances"])) for one in series], SUCCESS
        wanted = [one for one in series if one["MainDicomTags"].get("SeriesInstanceUID") == keys["SeriesInstanceUID"]]
        images = [image for one in wanted for image in self._json(f"/series/{one['ID']}/instances")]
        return [_answer(one, ("SOPInstanceUID", "InstanceNumber")) for one in images], SUCCESS

    def get(self, keys: dict[str, Any], spool: Spool, classes: Sequence[str] = ()) -> tuple[Moved, list[Kept]]:
        """Bring the files of a study, a series or an instance into a spool; return how it ended, and what came."""
        came: list[Kept] = []
        failed = 0
        for key in self._instances(keys):
            try:
                with self._ask(f"/instances/{key}/file", stream=True) as answer:
                    if answer.status_code != 200:
                        failed += 1
                        continue
                    came.append(keep_file(spool, answer.content))
            except requests.ConnectionError as error:
                if not came:
                    raise Transient(f"{self.peer.name} cannot be reached ({type(error).__name__})") from error
                return Moved(None, len(came), failed), came
            except (requests.RequestException, Truncated):
                failed += 1
            except (DiskFull, OSError):
                return Moved(REFUSED, len(came), failed), came
        return Moved(CANNOT if failed else SUCCESS, len(came), failed), came

    def headers(self, study_uid: str, series_uid: str) -> list[Dataset]:
        """Not offered: a file of Orthanc comes with its pixels."""
        raise ConfigurationError(f"{self.peer.name}: headers alone come over DICOMweb; make it a source of kind dicomweb for such a rule")

    def _instances(self, keys: dict[str, Any]) -> list[str]:
        """Return Orthanc's keys of what is asked for."""
        wanted = keys.get("SOPInstanceUID") or []
        wanted = [wanted] if isinstance(wanted, str) else list(wanted)
        if wanted:
            found = (self._json("/tools/lookup", str(uid)) for uid in wanted)
            return [one["ID"] for some in found for one in some if one["Type"] == "Instance"]
        study = self._lookup(str(keys["StudyInstanceUID"]))
        series = self._json(f"/studies/{study}/series") if study else []
        only = keys.get("SeriesInstanceUID")
        return [key for one in series if not only or one["MainDicomTags"].get("SeriesInstanceUID") == only for key in one["Instances"]]

    def _lookup(self, study_uid: str) -> str | None:
        found = self._json("/tools/lookup", study_uid)
        return next((one["ID"] for one in found if one["Type"] == "Study"), None)

    def _study(self, one: dict[str, Any]) -> Dataset:
        series = self._json(f"/studies/{one['ID']}/series", absent=[])
        numbers = {
            "NumberOfStudyRelatedSeries": len(series),
            "NumberOfStudyRelatedInstances": sum(len(some["Instances"]) for some in series),
            "ModalitiesInStudy": sorted({some["MainDicomTags"].get("Modality", "") for some in series} - {""}),
            "StationName": next((some["MainDicomTags"]["StationName"] for some in series if some["MainDicomTags"].get("StationName")), ""),
        }
        return _answer(one, STUDY_TAGS, **numbers)

    def _json(self, path: str, data: Any = None, *, absent: Any = ..., ids: bool = False) -> Any:
        try:
            with self._ask(path, data=data) as answer:
                if answer.status_code == 404 and absent is not ...:
                    return absent
                answer.raise_for_status()
                found = answer.json()
        except requests.HTTPError as error:
            code = error.response.status_code
            if code in (401, 403):
                raise ConfigurationError(f"{self.peer.name} does not let us in (HTTP {code})") from error
            if code == 404:
                raise ConfigurationError(f"{self.peer.name}: there is no Orthanc at {self.peer.url!r} (HTTP 404)") from error
            raise Transient(f"{self.peer.name} cannot answer (HTTP {code})") from error
        except (requests.RequestException, ValueError) as error:
            raise Transient(f"{self.peer.name} cannot be reached ({type(error).__name__})") from error
        return [one["ID"] if isinstance(one, dict) else one for one in found] if ids else found

    def _ask(self, path: str, data: Any = None, stream: bool = False) -> requests.Response:
        url, timeout = self.peer.url.rstrip("/") + quote(path, safe="/?=&"), (self.peer.connect_s, self.peer.answer_s)
        if data is None:
            return self._session.get(url, stream=stream, timeout=timeout)
        return self._session.post(url, timeout=timeout, **({"data": data} if isinstance(data, str) else {"json": data}))


def _answer(one: dict[str, Any], tags: Sequence[str], **more: Any) -> Dataset:
    answer = Dataset()
    for name in tags:
        if one["MainDicomTags"].get(name):
            setattr(answer, name, one["MainDicomTags"][name])
    for name, value in more.items():
        setattr(answer, name, value)
    return answer
