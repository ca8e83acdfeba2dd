"""Cases of many images as few findings: one line for each (code, attribute, wording)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from qc.results import Finding, Status
from qc.study import Instance, Series

MOST_NAMED = 20


class Cases:
    """Collects (code, keyword, text, instance), gives one finding for each code and keyword of the series."""

    def __init__(self, series: Series) -> None:
        self.series = series
        self.found: dict[tuple[str, str], dict[str, list[Instance]]] = defaultdict(lambda: defaultdict(list))

    def add(self, code: str, keyword: str, text: str, instance: Instance) -> None:
        """Note a case. The text must not hold anything of the patient."""
        self.found[(code, keyword)][text].append(instance)

    def findings(self, status: dict[str, Status]) -> Iterator[Finding]:
        """Yield the findings, in order of first appearance."""
        total = len(self.series.instances)
        for (code, keyword), texts in self.found.items():
            images = {id(one): one for where in texts.values() for one in where}
            words = list(texts)
            more = f" (and {len(words) - 1} other cases)" if len(words) > 1 else ""
            where = f" in {len(images)} of {total} images" if total > 1 else ""
            details: dict[str, Any] = {
                "keyword": keyword,
                "found": words[:5],
                "count": len(images),
                "instances": [one.uid for one in images.values()][:MOST_NAMED],
            }
            yield Finding(code, status[code], f"{words[0]}{more}{where}", self.series.subject(), details)
