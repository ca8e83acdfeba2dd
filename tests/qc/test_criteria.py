"""Limits as data: reading them, which holds, and the verdict."""

import pytest

from qc.criteria import builtin_names, load, parse
from qc.errors import ConfigurationError
from qc.results import Measurement, Status, Subject

HEAD = 'name = "x"\nversion = "1"\ntitle = "X"\n'
ORIGIN = 'edition = "e"\nprovenance = "p"\nconfidence = "site"\n'


def one(text, metric="m"):
    return HEAD + f'[[criterion]]\nmetric = "{metric}"\n{ORIGIN}{text}\n'


def judge(criteria, value, metric="m", region="", reason=None, **facts):
    return criteria.judge(Measurement(metric, value, "1", Subject("series"), region, reason=reason), facts)


def problems(text):
    with pytest.raises(ConfigurationError) as raised:
        parse(text, "site.toml")
    return raised.value.problems


FOUR = one("action_low = 850.0\ntolerance_low = 900.0\ntolerance_high = 950.0\naction_high = 970.0")


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (849.9, "fail"), (850.0, "warn"), (899.9, "warn"), (900.0, "pass"), (950.0, "pass"), (950.1, "warn"), (970.0, "warn"), (970.1, "fail"),
        (850.0 - 1e-10, "warn"),  # 850 after a chain of float operations
    ],
)  # fmt: skip
def test_a_value_equal_to_a_limit_is_inside_it(value, status):
    """Case C04: boundary run, 850.0 passes the action limit and 849.9 does not."""
    assert judge(parse(FOUR, "x"), value).status == status


@pytest.mark.parametrize(("value", "status"), [(5.0, "pass"), (5.1, "fail"), (-5.0, "pass"), (-5.1, "fail")])
def test_case_c08_daily_water(value, status):
    assert judge(parse(one("action_low = -5\naction_high = 5"), "x"), value).status == status


def test_the_verdict_keeps_a_snapshot():
    verdict = judge(parse(FOUR, "x"), 800.0)
    assert verdict.limits == {"action_low": 850.0, "tolerance_low": 900.0, "tolerance_high": 950.0, "action_high": 970.0}
    assert verdict.criteria == {"set": "x 1", "edition": "e", "provenance": "p", "confidence": "site"}


def test_without_a_limit_a_value_is_info_and_no_value_is_not_evaluable():
    criteria = parse(FOUR, "x")
    assert judge(criteria, 1.0, metric="other").status == "info"
    assert judge(criteria, 1.0, metric="other").criteria is None
    assert judge(criteria, None, metric="other", reason="too_large").status == "not_evaluable"


def test_no_value_is_never_a_pass():
    assert judge(parse(FOUR, "x"), None, reason="slice_missing").status == "not_evaluable"


@pytest.mark.parametrize(("reason", "status"), [("nothing_resolved", "fail"), ("slice_missing", "not_evaluable")])
def test_a_measured_nothing_has_the_status_that_the_criterion_gives(reason, status):
    criteria = parse(one('action_high = 1.0\nwhen_nothing = "fail"'), "x")
    assert judge(criteria, None, reason=reason).status == status


@pytest.mark.parametrize(
    ("field", "status"), [(0.3, "fail"), (1.5, "fail"), (2.89, "fail"), (2.9, "pass"), (3.0, "pass"), (None, "info"), ("3", "info")]
)
def test_field_strength_decides_which_limit_holds(field, status):
    """87.5 below 3 T, 82 at 3 T; what is not known does not match."""
    low = '[[criterion]]\nmetric = "m"\nwhen = { field_strength_t = { below = 2.9 } }\naction_low = 87.5\n' + ORIGIN
    high = '[[criterion]]\nmetric = "m"\nwhen = { field_strength_t = { min = 2.9 } }\naction_low = 82.0\n' + ORIGIN
    assert judge(parse(HEAD + low + high, "x"), 85.0, field_strength_t=field).status == status


@pytest.mark.parametrize(
    ("when", "facts", "holds"),
    [
        ('{ class = "phantom:acr_mri_*" }', {"class": "phantom:acr_mri_large"}, True),
        ('{ class = "phantom:acr_mri_*" }', {"class": "image"}, False),
        ('{ kernel = ["H31s", "B*"] }', {"kernel": "B30f"}, True),
        ('{ kernel = ["H31s", "B*"] }', {"kernel": "C"}, False),
        ("{ kvp = 120 }", {"kvp": 120.0}, True),
        ("{ kvp = 120 }", {"kvp": 100.0}, False),
        ("{ kvp = { above = 100, max = 120 } }", {"kvp": 120.0}, True),
        ("{ kvp = { above = 100, max = 120 } }", {"kvp": 100.0}, False),
        ('{ kvp = 120, modality = "CT" }', {"kvp": 120.0}, False),
    ],
)
def test_what_a_limit_holds_for(when, facts, holds):
    criteria = parse(one(f"when = {when}\naction_low = 1"), "x")
    assert judge(criteria, 0.0, **facts).status == ("fail" if holds else "info")


@pytest.mark.parametrize(("region", "holds"), [("slice1.horizontal", True), ("slice5.horizontal", False)])
def test_a_limit_for_some_regions(region, holds):
    assert judge(parse(one('region = "slice1.*"\naction_low = 1'), "x"), 0.0, region=region).status == ("fail" if holds else "info")


def test_the_first_that_holds_judges():
    text = one("action_low = 10") + f'[[criterion]]\nmetric = "m"\n{ORIGIN}action_low = 0\n'
    assert judge(parse(text, "x"), 5.0).status == "fail"


# -- files that are wrong -------------------------------------------------------------------------------------------


def test_all_problems_at_once_with_file_key_and_what_is_allowed():
    text = 'name = "x"\nflavour = 1\n' + "".join(
        f'[[criterion]]\nmetric = "m{number}"\n{ORIGIN}{wrong}\n'
        for number, wrong in enumerate(
            ["action_lo = 1", "tolerance_low = 5\naction_low = 7", "", 'action_low = "7"', "action_low = nan"], start=1
        )
    )
    told = problems(text)
    assert all(line.startswith("site.toml: ") for line in told)
    for number, words in enumerate(["unknown key 'action_lo'", "[7, 5]", "at least one of", "finite numbers", "finite numbers"], start=1):
        assert any(f"criterion {number} (m{number})" in line and words in line for line in told), (number, told)
    for words in ("unknown key 'flavour'; allowed are name", "version must be a text", "title must be a text"):
        assert any(words in line for line in told), words


@pytest.mark.parametrize("key", ["metric", "edition", "provenance", "confidence"])
def test_a_limit_without_its_origin_is_refused(key):
    lines = [line for line in one("action_low = 1").splitlines() if not line.startswith(key)]
    assert any(f"{key} " in line for line in problems("\n".join(lines)))


def test_other_wrong_values():
    assert "'guess'" in problems(one("action_low = 1").replace('"site"', '"guess"'))[0]
    assert "'maybe'" in problems(one('action_low = 1\nwhen_nothing = "maybe"'))[0]
    assert "not valid TOML" in problems("name = ")[0]


def test_a_typing_error_in_a_range_does_not_widen_the_limit():
    assert problems(one("when = { field_strength_t = { belov = 2.9 } }\naction_low = 87.5"))


@pytest.mark.parametrize("text", [HEAD + "criterion = 5", one('when = "3T"\naction_low = 1'), one('when_nothing = ["fail"]')])
def test_a_value_of_another_shape_is_told_like_any_other(text):
    assert problems(text)


# -- the sets that come with it -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", builtin_names())
def test_builtin_sets_can_be_read(name):
    criteria = load((name,))
    assert criteria.name == name
    assert criteria.criteria


LARGE, MEDIUM = "phantom:acr_mri_large", "phantom:acr_mri_medium"


@pytest.mark.parametrize(
    ("name", "klass", "field", "limit"),
    [
        ("acr-mri-2018", LARGE, 1.5, 87.5),
        ("acr-mri-2018", LARGE, 3.0, 82.0),
        ("acr-mri-2022", LARGE, 1.5, 87.5),
        ("acr-mri-2022", LARGE, 2.89362, 87.5),
        ("acr-mri-2022", LARGE, 3.0, 82.0),
        ("acr-mri-2022", MEDIUM, 1.5, 90.0),
        ("acr-mri-2022", MEDIUM, 3.0, 85.0),
        ("acr-mri-2022-b", LARGE, 1.5, 85.0),
        ("acr-mri-2022-b", LARGE, 3.0, 80.0),
    ],
)
def test_uniformity_limits_of_the_metrology_page(name, klass, field, limit):
    criteria = load((name,))
    facts = {"class": klass, "field_strength_t": field}
    assert judge(criteria, limit, "acr_mri.piu", **facts).status == "pass"
    assert judge(criteria, limit - 0.1, "acr_mri.piu", **facts).status == "fail"


@pytest.mark.parametrize(
    ("name", "klass", "confidence"),
    [("acr-mri-2022", LARGE, "conflicting"), ("acr-mri-2022-b", LARGE, "conflicting"), ("acr-mri-2022", MEDIUM, "second_hand")],
)
def test_readings_that_disagree_are_flagged(name, klass, confidence):
    facts = {"class": klass, "field_strength_t": 1.5}
    assert judge(load((name,)), 95.0, "acr_mri.piu", **facts).criteria["confidence"] == confidence


def test_several_sets_are_asked_in_order(tmp_path):
    (tmp_path / "site.toml").write_text(one("action_low = 99.0", "acr_mri.piu"))
    facts = {"class": LARGE, "field_strength_t": 1.5}
    for names, status, named in (
        ((str(tmp_path / "site.toml"), "acr-mri-2022"), "fail", "x 1"),
        (("acr-mri-2022", str(tmp_path / "site.toml")), "pass", "acr-mri-2022 1"),
    ):
        verdict = judge(load(names), 95.0, "acr_mri.piu", **facts)
        assert (verdict.status, verdict.criteria["set"]) == (status, named)
    assert judge(load(("acr-mri-2022", "acr-mri-2018")), 1.0, "other").status is Status.INFO
    assert judge(load(("acr-mri-2022", "acr-mri-2018")), None, "other", reason="r").status is Status.NOT_EVALUABLE


def test_sets_that_are_not_there_are_all_named(tmp_path):
    (tmp_path / "bad.toml").write_text(one("action_lo = 1"))
    with pytest.raises(ConfigurationError) as raised:
        load(("nothing", "acr-mri-2022", "neither", str(tmp_path / "bad.toml")))
    told = " ".join(raised.value.problems)
    assert all(words in told for words in ("'nothing'", "'neither'", "acr-mri-2018", "'action_lo'"))
