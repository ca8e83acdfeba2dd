"""Several sources at once, as the settings name them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from flows.listed import is_header
from flows.sources import Source
from qc.errors import ConfigurationError
from reports.store import Work


class Sources:
    """The sources of a run. Each is looked at by itself; the files of a study may come from several."""

    def __init__(self, some: Sequence[Source]) -> None:
        self._by_name = {one.name: one for one in some}

    def __iter__(self) -> Iterator[Source]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def named(self, name: str) -> Source:
        """Return a source by its name.

        Raises
        ------
        ConfigurationError
            If there is none.
        """
        if name not in self._by_name:
            raise ConfigurationError(f"there is no source {name!r}; the settings name {', '.join(self._by_name) or 'none'}")
        return self._by_name[name]

    def fetch(self, work: Work) -> tuple[list[Path], set[Path]]:
        """Return the files of a study, each once, and which of them are headers that came without their pixels.

        Raises
        ------
        Transient
            If a source cannot be reached.
        ConfigurationError
            If files came from a source that the settings do not name any more.
        """
        pairs = list(zip(work.sources, work.paths, strict=True))
        bare = [(name, path) for name, path in pairs if self.named(name).counts and is_header(path)]
        return self.places(pairs, work.study_uid), set(self.places(bare))

    def places(self, paths: Iterable[tuple[str, Path]], study_uid: str = "") -> list[Path]:
        """Return where files are, each once; with the study they are of, what was deleted is fetched again."""
        of_source: dict[str, list[Path]] = defaultdict(list)
        for source, path in paths:
            of_source[source].append(path)
        return list(dict.fromkeys(place for name, some in of_source.items() for place in self.named(name).fetch(some, study_uid)))
