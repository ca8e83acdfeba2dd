"""Talk to an archive over DICOMweb: QIDO-RS for what it has, WADO-RS for the instances, streamed and kept as they came.

`Web` answers the same calls as `flows.dimse.Pacs`, so listing, counting and asking again are the same for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any
from urllib.parse import quote

import requests
from dicomweb_client.api import DICOMwebClient
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset

from flows.dimse import Moved, Quirks
from flows.http_peer import HttpPeer
from flows.multipart import Truncated, keep_file, parts
from flows.pipeline import Pipeline
from flows.spool import DiskFull, Kept, Spool
from qc.errors import ConfigurationError, Transient

PAGE = 1000
PIECE = 1 << 20
SUCCESS, REFUSED, CANNOT = 0x0000, 0xA700, 0xC000
# Any transfer syntax: without it the archive would decompress.
ACCEPT = 'multipart/related; type="application/dicom"; transfer-syntax=*'
UID = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}


@dataclass(frozen=True)
class WebPeer(HttpPeer):
    """An archive with DICOMweb."""

    quirks: Quirks = field(default_factory=lambda: Quirks(uid_lists=False))
    retrieve: str = field(default="web", init=False)
    destination: str = field(default="", init=False)


class Web:
    """Conversations with one archive. A context manager."""

    def __init__(self, peer: WebPeer) -> None:
        self.peer = peer
        self._session = peer.session()
        try:
            self._client = DICOMwebClient(peer.url, session=self._session, timeout=(peer.connect_s, peer.answer_s))
        except ValueError as error:
            raise ConfigurationError(f"{peer.name}: {peer.url!r} is no address of an archive") from error
        self._client.set_http_retry_params(retry=False)  # who calls us decides about that

    def __enter__(self) -> Web:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def echo(self) -> float:
        """Ask for one study; return how long the answer took, in seconds.

        Raises
        ------
        Transient, ConfigurationError
            If the archive cannot be reached, or will not talk to us.
        """
        start = perf_counter()
        try:
            self._client.search_for_studies(limit=1)
        except requests.RequestException as error:
            raise self._meaning(error) from error
        return perf_counter() - start

    def find(self, level: str, keys: dict[str, Any]) -> tuple[list[Any], int]:
        """QIDO-RS, page after page; return the answers, and a status like that of a C-FIND.

        Raises
        ------
        Transient, ConfigurationError
            If the archive cannot be reached, or will not talk to us.
        """
        answers: dict[str, dict[str, Any]] = {}
        asked = 0
        while True:
            try:
                page = self._page(level, keys, asked)
            except requests.HTTPError as error:
                meaning = self._meaning(error)
                if meaning is not None:
                    raise meaning from error
                return list(answers.values()), REFUSED
            except (requests.RequestException, ValueError) as error:
                raise Transient(f"{self.peer.name}: the query was not answered ({type(error).__name__})") from error
            asked += len(page)
            known = len(answers)
            for one in page:
                answers.setdefault(str(one.get(UID[level], "")) or f"without UID {len(answers)}", one)
            # Some archives know no offset, and give the same page for ever.
            if not page or len(answers) == known:
                return list(answers.values()), SUCCESS

    def _page(self, level: str, keys: dict[str, Any], offset: int) -> list[dict[str, Any]]:
        above = {name: keys[name] for name in list(UID.values())[: list(UID).index(level)] if keys.get(name)}
        filters = {name: value for name, value in keys.items() if value and name not in above}
        how = {"limit": PAGE, "offset": offset, "fields": [name for name in keys if name not in above], "search_filters": filters}
        if level == "STUDY":
            found = self._client.search_for_studies(**how)
        elif level == "SERIES":
            found = self._client.search_for_series(above["StudyInstanceUID"], **how)
        else:
            found = self._client.search_for_instances(above["StudyInstanceUID"], above["SeriesInstanceUID"], **how)
        return [_answer(one) for one in found]

    def get(self, keys: dict[str, Any], spool: Spool, classes: Sequence[str] = ()) -> tuple[Moved, list[Kept]]:
        """WADO-RS of a study, a series or an instance into a spool; return how it ended, and what came.

        An answer that breaks off keeps what was whole; the last, cut one is dropped.
        """
        path = "".join(
            f"/{part}/{quote(str(keys[name]), safe='.')}"
            for part, name in (("studies", "StudyInstanceUID"), ("series", "SeriesInstanceUID"), ("instances", "SOPInstanceUID"))
            if keys.get(name)
        )
        pipeline = Pipeline()
        came = pipeline.came
        timeout = (self.peer.connect_s, self.peer.answer_s)
        url, accept = self.peer.url.rstrip("/") + path, {"Accept": ACCEPT}
        try:
            with pipeline, self._session.get(url, headers=accept, stream=True, timeout=timeout) as answer:
                answer.raise_for_status()
                for part in parts(answer.iter_content(PIECE), answer.headers.get("Content-Type", "")):
                    pipeline.submit(partial(keep_file, spool, part))
        except requests.HTTPError as error:
            meaning = self._meaning(error)
            if isinstance(meaning, ConfigurationError):
                raise meaning from error
            return Moved(CANNOT, len(came)), came
        except requests.ConnectionError as error:
            if not came:
                raise Transient(f"{self.peer.name} cannot be reached ({type(error).__name__})") from error
            return Moved(None, len(came)), came
        except (requests.RequestException, Truncated):
            return Moved(None, len(came)), came
        except (DiskFull, OSError):
            return Moved(REFUSED, len(came)), came
        return Moved(SUCCESS, len(came)), came

    def headers(self, study_uid: str, series_uid: str) -> list[Dataset]:
        """WADO-RS metadata of a series: every attribute but the large ones.

        Raises
        ------
        Transient, ConfigurationError
            If the archive cannot be reached, or will not talk to us.
        """
        try:
            found = self._client.retrieve_series_metadata(study_uid, series_uid)
        except requests.HTTPError as error:
            raise (self._meaning(error) or Transient(f"{self.peer.name} refuses the headers of a series")) from error
        except (requests.RequestException, ValueError) as error:
            raise Transient(f"{self.peer.name}: the headers did not come ({type(error).__name__})") from error
        return [_small(one) for one in found]

    def _meaning(self, error: requests.RequestException) -> Transient | ConfigurationError | None:
        """Return what an error means to us; None: the archive refused this query, and may answer a narrower one."""
        code = error.response.status_code if error.response is not None else None
        if code in (401, 403):
            return ConfigurationError(f"{self.peer.name} does not let us in (HTTP {code})")
        if code == 404:
            return ConfigurationError(f"{self.peer.name}: there is no DICOMweb at {self.peer.url!r} (HTTP 404)")
        if code in (400, 413, 422, 500):
            return None
        return Transient(
            f"{self.peer.name} cannot be reached (HTTP {code})" if code else f"{self.peer.name} cannot be reached ({type(error).__name__})"
        )


def _answer(one: dict[str, Any]) -> dict[str, Any]:
    """Return an answer by keyword; one value bare, several as a list, an empty attribute not at all. (A `Dataset` would check each.)"""
    found = {}
    for tag, element in one.items():
        values = element.get("Value") if isinstance(element, dict) else None
        keyword = keyword_for_tag(int(tag, 16)) if values else ""
        if keyword:
            plain = [value.get("Alphabetic", "") if isinstance(value, dict) else value for value in values]
            found[keyword] = plain[0] if len(plain) == 1 else plain
    return found


def _small(one: dict[str, Any]) -> Dataset:
    """Return metadata as a data set, without what the archive keeps apart (pixels)."""
    return Dataset.from_json({tag: value for tag, value in one.items() if "BulkDataURI" not in value and not tag.startswith("7FE0")})
