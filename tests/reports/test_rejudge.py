"""Judge again: by other limits, without pixels; what was judged stays as it was judged."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from reports_made import CRITERIA
from trends_made import FIRST, day, device, scan

from qc import criteria
from qc.errors import ConfigurationError
from reports import daily, rejudge, trends
from reports.store import Store
from reports.store import schema as t

LIMITS = {"action_low": 87.5, "tolerance_low": None, "tolerance_high": None, "action_high": None}
FACTS = {"field_strength_t": 1.5, "manufacturer": "Maker A"}


def written(store: Store, values: list[float | None], **more: object) -> None:
    """Values judged by a limit of 87.5."""
    number = device(store)
    with store.writing() as connection:
        for place, value in enumerate(values):
            status = "not_evaluable" if value is None else "pass" if value >= 87.5 else "fail"
            own = {"limits": LIMITS, "criteria": CRITERIA, "facts": FACTS, **more}
            scan(connection, number, day(place), value, status=status, **own)
    trends.refresh(store)


def edition(path: Path, limit: float, *, name: str = "acr-site", version: str = "2", when: str = "") -> str:
    path.write_text(
        f'name = "{name}"\nversion = "{version}"\ntitle = "Limits of the site"\n[[criterion]]\nmetric = "acr_mri.piu"\n{when}\n'
        f'action_low = {limit}\nedition = "2026"\nprovenance = "physicist"\nconfidence = "site"\n'
    )
    return str(path)


def snapshot(store: Store) -> list[tuple]:
    with store.reading() as connection:
        rows = sa.select(t.measurement.c.id, t.measurement.c.status, t.measurement.c.limits, t.measurement.c.criteria)
        return [tuple(row) for row in connection.execute(rows.order_by(t.measurement.c.id))]


def test_a_new_edition_over_stored_values(store: Store, tmp_path: Path) -> None:
    written(store, [92.0, 88.0, 86.0, None])
    before = snapshot(store)
    told = rejudge.judge_again(store, [edition(tmp_path / "new.toml", 90.0)], "anna", "edition of 2026")
    assert (told.judged, told.changed, dict(told.moves)) == (4, 4, {("pass", "fail"): 1})
    assert snapshot(store) == before, "old verdicts stay"
    table = rejudge.differences(store, told.id)
    assert table[["study_day", "device", "value", "status_before", "status_now"]].values.tolist() == [[day(1), "MR1", 88.0, "pass", "fail"]]
    assert (table["limits_before"][0], table["limits_now"][0]) == ({"action_low": 87.5}, {"action_low": 90.0})
    assert (table["criteria_before"][0], table["criteria_now"][0]) == (CRITERIA["set"], "acr-site 2")
    assert len(rejudge.differences(store, told.id, moved_only=False)) == 4
    (kept,) = rejudge.judgements(store)
    assert (kept["who"], kept["why"], kept["counts"]["changed"], kept["digest"]) == (
        "anna",
        "edition of 2026",
        4,
        criteria.load((str(tmp_path / "new.toml"),)).digest,
    )
    assert store.audit(1)[0].what == "judge.again"


def test_the_gravest_changes_come_first(store: Store, tmp_path: Path) -> None:
    written(store, [86.0, 88.0])
    told = rejudge.judge_again(store, [edition(tmp_path / "new.toml", 87.0)], "anna", "milder")
    assert not told.moves
    told = rejudge.judge_again(store, [edition(tmp_path / "new.toml", 85.0)], "anna", "milder still")
    assert dict(told.moves) == {("fail", "pass"): 1}
    with store.writing() as connection:
        scan(connection, 1, day(5), 89.0, status="pass", limits=LIMITS, criteria=CRITERIA)
    text = (tmp_path / "new.toml").read_text().replace("85.0", "85.0\ntolerance_high = 88.5\naction_high = 88.8")
    (tmp_path / "new.toml").write_text(text)
    told = rejudge.judge_again(store, [str(tmp_path / "new.toml")], "anna", "both sides")
    assert rejudge.differences(store, told.id)["status_now"].tolist() == ["fail", "pass"]


@pytest.mark.parametrize(("tesla", "moved"), [(1.5, 0), (3.0, 1)])
def test_limits_that_ask_for_facts_of_the_headers(store: Store, tmp_path: Path, tesla: float, moved: int) -> None:
    written(store, [88.0], facts={"field_strength_t": tesla})
    name = edition(tmp_path / "new.toml", 90.0, when="when = { field_strength_t = { min = 2.9 } }")
    told = rejudge.judge_again(store, [name, "acr-mri-2022"], "anna", "for 3 T only")
    assert sum(told.moves.values()) == moved
    if moved:
        assert rejudge.differences(store, told.id)["criteria_now"][0] == "acr-site 2"


def test_facts_that_were_not_kept_are_told_of(store: Store) -> None:
    written(store, [88.0], facts={})
    told = rejudge.judge_again(store, ["acr-mri-2022"], "anna", "look", keep=False)
    assert told.without_facts == 1
    assert dict(told.moves) == {("pass", "info"): 1}, "no criterion of the set holds where the field strength is not known"


def test_only_what_was_asked_for(store: Store, tmp_path: Path) -> None:
    written(store, [88.0, 88.0, 88.0])
    name = edition(tmp_path / "new.toml", 90.0)
    look = lambda scope: rejudge.judge_again(store, [name], "", "", scope, keep=False).judged  # noqa: E731
    assert look(rejudge.Scope()) == 3
    assert look(rejudge.Scope(first=day(1))) == 2
    assert look(rejudge.Scope(last=day(0))) == 1
    assert look(rejudge.Scope(device_id=99)) == 0
    assert look(rejudge.Scope(metric="ct.noise")) == 0
    assert rejudge.judgements(store) == [], "nothing was kept"


def test_editing_a_limit_changes_nothing_that_was_judged(store: Store, tmp_path: Path) -> None:
    """The file of a set is changed, judged by again, changed once more: measurements, judgements and reports stay as they were."""
    written(store, [88.0])
    path = tmp_path / "site.toml"
    name = edition(path, 90.0)
    first = rejudge.judge_again(store, [name], "anna", "as of January")
    kept = rejudge.differences(store, first.id), snapshot(store), daily.gather(store, FIRST).statuses
    edition(path, 70.0)  # under the same name and version
    second = rejudge.judge_again(store, [name], "anna", "as of June")
    assert first.id != second.id
    table, verdicts, statuses = kept
    assert rejudge.differences(store, first.id).equals(table)
    assert snapshot(store) == verdicts
    assert daily.gather(store, FIRST).statuses == statuses
    one, other = rejudge.judgements(store)
    assert one["digest"] != other["digest"], "the same name with other limits is told apart"


@pytest.mark.parametrize("column", ["status", "limits", "criteria", "value"])
def test_the_database_refuses_to_change_a_verdict(store: Store, column: str) -> None:
    written(store, [88.0])
    new = {"status": "'fail'", "limits": "NULL", "criteria": "NULL", "value": "99"}[column]
    with pytest.raises(sa.exc.DBAPIError, match="judged once"), store.writing() as connection:
        connection.exec_driver_sql(f"UPDATE measurement SET {column} = {new}")


def test_a_judgement_has_a_name_and_a_reason(store: Store) -> None:
    for who, why in (("", "x"), ("anna", " ")):
        with pytest.raises(ConfigurationError, match="name and a reason"):
            rejudge.judge_again(store, ["acr-mri-2022"], who, why)
    with pytest.raises(ConfigurationError, match="not there"):
        rejudge.judge_again(store, ["acr-2099"], "anna", "x")


def test_superseded_results_are_not_judged(store: Store) -> None:
    written(store, [88.0, 88.0])
    with store.writing() as connection:
        at = connection.execute(sa.select(t.study.c.done_at).limit(1)).scalar_one()
        connection.execute(sa.update(t.study).where(t.study.c.day == date(2026, 1, 5)).values(superseded_at=at))
    assert rejudge.judge_again(store, ["acr-mri-2022"], "", "", keep=False).judged == 1
