"""Query and retrieve against a PACS that errs as told. The cases P of the public trackers, each with its right answer."""

from __future__ import annotations

import time
from datetime import datetime

import pytest
from fake_pacs import FakePacs
from pacs_peers import body, free_port, instance, kept, series
from pydicom.uid import generate_uid

from flows import inventory
from flows.dimse import DestinationUnknown, Pacs, Peer, Quirks, storage_contexts
from flows.receiver import ReceiverOptions, serve
from flows.retrieve import retrieve
from flows.sources.cursor import Cursor
from flows.sources.dimse import DimseSource
from flows.sources.wanted import Wanted
from flows.spool import Spool
from qc.errors import ConfigurationError, Transient

pytestmark = pytest.mark.pacs

DAY = datetime(2026, 11, 20)
STUDY = "1.2.3.4"


def talk(fake: FakePacs, **how) -> Pacs:
    return Pacs(Peer("the PACS", "127.0.0.1", fake.port, "FAKE", connect_s=5, answer_s=how.pop("answer_s", 10), **how))


@pytest.fixture
def spool(tmp_path) -> Spool:
    return Spool(tmp_path / "spool")


@pytest.fixture
def receiver(tmp_path):
    with serve(ReceiverOptions(tmp_path / "spool", host="127.0.0.1", port=0, least_free=0)) as one:
        yield one


def day_of(number: int) -> list:
    """One image each of `number` studies, spread over 20 November."""
    made = []
    for at in range(number):
        minute = at * 1440 // number
        study = generate_uid(entropy_srcs=["day", str(at)])
        made.append(instance(study, study[:60] + ".1", size=2, StudyTime=f"{minute // 60:02d}{minute % 60:02d}30"))
    return made


# -- is it there


def test_echo_gives_the_latency():
    with FakePacs([]) as fake, talk(fake) as pacs:
        assert 0 < pacs.echo() < 5


def test_nobody_there_is_transient():
    with pytest.raises(Transient, match="cannot be reached"):
        Pacs(Peer("the PACS", "127.0.0.1", free_port(), "FAKE")).echo()


def test_a_title_that_is_not_known_there_is_for_people_to_correct(tmp_path):
    with serve(ReceiverOptions(tmp_path, host="127.0.0.1", port=0, callers=("OTHER",))) as strict:
        peer = Peer("the PACS", "127.0.0.1", strict.port, "PACSQC", own_title="STRANGER")
        with pytest.raises(ConfigurationError, match="'STRANGER'"):
            Pacs(peer).echo()


# -- what has it


def test_every_study_of_a_day_is_listed_once():
    have = day_of(7)
    with FakePacs(have) as fake, talk(fake) as pacs:
        listed = inventory.studies(pacs, DAY, DAY)
    assert set(listed.found) == {one.StudyInstanceUID for one in have}
    assert [one.instances for one in listed.found.values()] == [1] * 7
    assert (listed.queries, listed.unsure) == (1, [])


@pytest.mark.parametrize("told", [True, False])
def test_a_pacs_that_cuts_its_lists_is_asked_in_slices(told):
    have = day_of(170)
    with FakePacs(have, cap=50) as fake, talk(fake, quirks=Quirks(cap=50 if told else None)) as pacs:
        listed = inventory.studies(pacs, DAY, DAY)
    assert len(listed.found) == 170
    assert listed.unsure == []


def test_a_cut_that_cannot_be_cut_further_is_said():
    have = [instance(study := generate_uid(), study[:60] + ".1", size=2, StudyTime="083000") for _ in range(9)]
    with FakePacs(have, cap=5) as fake, talk(fake, quirks=Quirks(cap=5)) as pacs:
        listed = inventory.studies(pacs, DAY, DAY)
    assert len(listed.found) == 5
    assert listed.unsure == [(datetime(2026, 11, 20, 8, 30), datetime(2026, 11, 20, 8, 31))]


@pytest.mark.parametrize(("refusal", "quirks"), [(0xA700, Quirks()), (0xC001, Quirks()), (None, Quirks(empty_when_wide=True))])
def test_a_pacs_that_refuses_wide_queries_is_asked_in_narrow_ones(refusal, quirks):
    have = [instance(study := generate_uid(), study[:60] + ".1", size=2, StudyDate=f"202611{day:02d}") for day in range(1, 29)]
    with FakePacs(have, widest=3, refusal=refusal) as fake, talk(fake, quirks=quirks) as pacs:
        listed = inventory.studies(pacs, datetime(2026, 11, 1), datetime(2026, 11, 28))
    assert len(listed.found) == 28


def test_a_pacs_that_refuses_everything_gives_no_storm():
    class Refusing(FakePacs):
        def find(self, event):
            self.queries.append(event.identifier)
            yield 0xA700, None

    with Refusing([]) as fake, talk(fake) as pacs, pytest.raises(Transient, match="0xA700"):
        inventory.studies(pacs, datetime(2026, 11, 1), datetime(2026, 11, 28))
    assert len(fake.queries) < 15


def test_dates_that_the_pacs_ignores_are_looked_at_again():
    class Deaf(FakePacs):
        def matching(self, query):
            return self.instances

    have = [instance("1.2.1", "1.2.1.1"), instance("1.2.2", "1.2.2.1", StudyDate="20200101")]
    with Deaf(have) as fake, talk(fake) as pacs:
        assert set(inventory.studies(pacs, DAY, DAY).found) == {"1.2.1"}


@pytest.mark.parametrize("counts", ["absent", "empty", "zero"])
def test_p08_no_count_is_unknown_and_not_zero(counts):
    have = series(STUDY, 30)
    with FakePacs(have, counts=counts, image_level=False) as fake, talk(fake) as pacs:
        (study,) = inventory.studies(pacs, DAY, DAY).found.values()
        (listed,) = inventory.series(pacs, STUDY)
        expected = inventory.expected(pacs, STUDY, study.instances)
    assert (study.instances, study.series, listed.instances) == (None, None, None)
    assert (expected.images, expected.total) == (None, None)
    with FakePacs(have, counts=counts) as fake, talk(fake) as pacs:
        assert inventory.expected(pacs, STUDY).total == 30  # counted image by image


def test_p08_completeness_is_not_known_without_any_count(spool):
    with FakePacs(series(STUDY, 5), counts="absent", image_level=False) as fake, talk(fake) as pacs:
        done = retrieve(pacs, spool, STUDY)
    assert (done.state, done.lacking, len(done.paths)) == ("not_known", None, 5)


# -- hand it over


@pytest.mark.parametrize("how", ["get", "move"])
def test_a_study_comes_whole_and_as_it_is(how, spool, receiver):
    have = [*series(STUDY, 4), *series(STUDY, 3, "b")]
    with FakePacs(have, known={"PACSQC": ("127.0.0.1", receiver.port)}) as fake, talk(fake, retrieve=how, destination="PACSQC") as pacs:
        done = retrieve(pacs, spool, STUDY)
        again = retrieve(pacs, spool, STUDY)
    assert done.state == again.state == "complete"
    assert {body(path) for path in done.paths} == {body(one) for one in have}
    assert (done.operations[0].status, done.operations[0].completed, done.operations[0].failed) == (0, 7, 0)
    assert again.operations == []  # all of it is here: nothing is asked for
    assert len(fake.asked) == 1


def test_p01_all_failed_is_a_failure_and_is_tried_again(spool):
    def lose_first(asked, uids):
        return uids if asked == 1 else []

    have = series(STUDY, 120, size=2)
    with FakePacs(have, lose=lose_first) as fake, talk(fake) as pacs:
        done = retrieve(pacs, spool, STUDY)
        assert (done.state, done.lacking, len(done.missing)) == ("incomplete", 120, 120)
        first = done.operations[0]
        assert first.status in (0xB000, 0xA702)
        assert (first.completed, first.failed, first.warning) == (0, 120, 0)
        assert len(fake.asked) == 1  # nothing came, so it is not asked again at once
        assert retrieve(pacs, spool, STUDY).state == "complete"


def test_p01_of_a_part_only_the_rest_is_asked_for(spool):
    have = series(STUDY, 120, size=2)
    lost = {one.SOPInstanceUID for one in have[80:]}
    with FakePacs(have, lose=lambda asked, uids: lost if asked == 1 else []) as fake, talk(fake) as pacs:
        done = retrieve(pacs, spool, STUDY)
    assert done.state == "complete"
    assert (done.operations[0].status, done.operations[0].completed, done.operations[0].failed) == (0xB000, 80, 40)
    assert set(fake.asked[1].SOPInstanceUID) == lost
    assert len(kept(spool.root)) == 120


def test_p01_what_never_comes_is_named(spool):
    have = series(STUDY, 120, size=2)
    lost = {one.SOPInstanceUID for one in have[80:]}
    with FakePacs(have, lose=lambda asked, uids: lost) as fake, talk(fake) as pacs:
        done = retrieve(pacs, spool, STUDY)
    assert (done.state, done.lacking) == ("incomplete", 40)
    assert {one.uid for one in done.missing} == lost
    assert len(fake.asked) == 2


@pytest.mark.parametrize("uncounted", [False, True])
def test_p01_success_is_verified_by_count(spool, uncounted):
    have = series(STUDY, 10)
    lost = {have[3].SOPInstanceUID}
    with FakePacs(have, lose=lambda asked, uids: lost if asked == 1 else [], silent=True, uncounted=uncounted) as fake, talk(fake) as pacs:
        done = retrieve(pacs, spool, STUDY)
    assert done.operations[0].status == 0
    assert done.operations[0].completed == (None if uncounted else 9)
    assert done.operations[0].failed == (None if uncounted else 0)
    assert done.state == "complete"
    assert [fake.asked[1].SOPInstanceUID] == list(lost)


def test_without_a_list_of_images_the_number_decides(spool):
    have = series(STUDY, 10)
    lost = {have[3].SOPInstanceUID}
    with FakePacs(have, image_level=False, lose=lambda asked, uids: lost, silent=True) as fake, talk(fake) as pacs:
        done = retrieve(pacs, spool, STUDY)
    assert (done.state, done.expected.source, done.lacking, done.missing) == ("incomplete", "series", 1, [])


@pytest.mark.parametrize("how", ["a801", "abort", "close"])
def test_p04_an_unknown_move_destination_is_one_quick_error_that_names_it(how, spool):
    start = time.monotonic()
    with FakePacs(series(STUDY, 3), on_move=how) as fake:
        pacs = talk(fake, retrieve="move", destination="NOWHERE", answer_s=60)
        with pytest.raises(DestinationUnknown, match="'NOWHERE'"):
            retrieve(pacs, spool, STUDY)
        pacs.close()
    assert time.monotonic() - start < 55  # it did not wait for an answer
    assert len(fake.asked) == 1


def test_p07_one_uid_in_two_series_is_two_instances(spool):
    have = [instance(STUDY, "1.2.3.4.1", uid="1.2.9"), instance(STUDY, "1.2.3.4.2", uid="1.2.9", value=5)]
    with FakePacs(have) as fake, talk(fake) as pacs:
        done = retrieve(pacs, spool, STUDY)
    assert (done.state, done.expected.total, len(done.paths)) == ("complete", 2, 2)
    assert {body(path) for path in done.paths} == {body(one) for one in have}


def test_a_full_disk_leaves_the_study_incomplete(tmp_path):
    full = Spool(tmp_path / "spool", least_free=1 << 60)
    with FakePacs(series(STUDY, 3)) as fake, talk(fake) as pacs:
        done = retrieve(pacs, full, STUDY)
    assert (done.state, done.lacking) == ("incomplete", 3)
    assert kept(full.root) == []


def test_a_retrieve_fits_into_one_association():
    for classes in ([], ["1.2.840.10008.5.1.4.1.1.2"], [f"1.2.3.{at}" for at in range(200)]):
        assert 0 < len(storage_contexts(classes)) <= 126
    assert len(storage_contexts(["1.2.3.99", "1.2.3.98"])) > 2


# -- as a source


class Clock:
    def __init__(self):
        self.now = DAY.timestamp() + 40_000

    def __call__(self):
        return self.now


def test_an_incomplete_study_is_held_back_then_handed_over_and_said(spool):
    clock, have = Clock(), series(STUDY, 5)
    lost = [have[2].SOPInstanceUID]
    with FakePacs(have, lose=lambda asked, uids: lost) as fake:
        source = DimseSource(talk(fake).peer, spool, Wanted(patience_s=600), clock=clock)
        found, cursor = source.observe(None)
        assert (found.seen, found.waiting) == ([], 1)
        (stands,) = found.standings
        assert (stands.state, stands.expected, stands.here, stands.missing) == ("incomplete", 5, 4, (str(lost[0]),))
        assert str(lost[0]) in stands.message
        assert [(one.status, one.completed, one.failed, one.came) for one in stands.retrieves] == [(0xB000, 4, 1, 4), (0xA702, 0, 1, 0)]
        asked = len(fake.asked)
        clock.now += 59
        found, cursor = source.observe(cursor)
        assert (found.waiting, len(fake.asked)) == (1, asked)  # too soon to ask again
        clock.now += 542
        found, cursor = source.observe(cursor)
        assert (len(found.seen), found.waiting) == (4, 0)
        fake.lose = None
        clock.now += 121  # the pause doubles each time
        found, cursor = source.observe(cursor)
        assert len(found.seen) == 5
        assert found.skipped == []
        assert [(one.state, one.expected, one.here) for one in found.standings] == [("complete", 5, 5)]
        asked = len(fake.asked)
        assert source.observe(cursor)[0].seen == []
        assert len(fake.asked) == asked
        assert [one.StudyInstanceUID for one in fake.asked] == [STUDY] * asked


def test_more_studies_than_one_look_takes(spool):
    have = day_of(23)
    with FakePacs(have) as fake:
        source = DimseSource(talk(fake).peer, spool, Wanted(quiet_s=0), clock=Clock())
        first, cursor = source.observe(None)
        second, cursor = source.observe(cursor)
    assert (first.more, second.more) == (True, False)
    assert (len(first.seen), len(second.seen)) == (20, 3)


def test_one_study_that_the_pacs_stumbles_over_is_not_taken_for_the_destination(spool):
    with FakePacs(series(STUDY, 2), on_move="abort") as fake:
        source = DimseSource(talk(fake, retrieve="move", destination="PACSQC").peer, spool, clock=Clock())
        found, _ = source.observe(None)
        assert [(one.state, one.reason) for one in found.standings] == [("incomplete", "no_answer")]
        fake.instances = [*fake.instances, *series("1.2.3.5", 2)]
        with pytest.raises(DestinationUnknown, match="'PACSQC'"):
            source.observe(None)


def test_an_incomplete_study_is_asked_for_however_old_until_it_is_given_up(spool):
    clock, have = Clock(), series(STUDY, 3)
    lost = [have[1].SOPInstanceUID]
    with FakePacs(have, lose=lambda asked, uids: lost) as fake:
        source = DimseSource(talk(fake).peer, spool, Wanted(patience_s=600, give_up_days=8), clock=clock)
        _, cursor = source.observe(None)
        clock.now += 7 * 86400  # days behind the window of the list of studies
        found, cursor = source.observe(cursor)
        assert [(one.state, one.here) for one in found.standings] == [("incomplete", 2)]
        assert len(found.seen) == 2  # handed over as it is
        clock.now += 86401
        found, cursor = source.observe(cursor)
        assert [one.state for one in found.standings] == ["given_up"]
        asked = len(fake.asked)
        clock.now += 86401
        found, cursor = source.observe(cursor)
        assert (found.standings, found.waiting, len(fake.asked)) == ([], 0, asked)


def test_a_new_study_waits_until_its_count_stays_the_same(spool):
    clock, have = Clock(), series(STUDY, 4, StudyTime="110000")
    with FakePacs(have[:2]) as fake:
        source = DimseSource(talk(fake).peer, spool, Wanted(quiet_s=300), clock=clock)
        found, cursor = source.observe(None)
        assert (found.seen, found.waiting, [one.state for one in found.standings]) == ([], 1, ["receiving"])
        fake.instances = have
        clock.now += 299
        found, cursor = source.observe(cursor)  # it has grown: the time of quiet begins again
        assert (found.seen, found.waiting) == ([], 1)
        clock.now += 299
        found, cursor = source.observe(cursor)
        assert found.seen == []
        clock.now += 61
        found, cursor = source.observe(cursor)
        assert (len(found.seen), found.waiting, [one.state for one in found.standings]) == (4, 0, ["complete"])
        assert sum(one.came for one in found.standings[0].retrieves) == 0  # all of it was here already


@pytest.mark.parametrize(
    "text", [None, "", "nonsense", "[]", '{"until": "tomorrow"}', '{"studies": 3}', '{"studies": {"1": {"strange": 1}}}']
)
def test_a_cursor_that_cannot_be_read_is_an_empty_one(text):
    assert Cursor.read(text) == Cursor()
