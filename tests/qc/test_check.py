"""Declarations that are wrong are told at import; plug-ins that cannot be imported refuse to start."""

from dataclasses import dataclass

import pytest

from qc import check as declarations
from qc.check import Applies, Registry, all_metrics, check, load_checks
from qc.errors import ConfigurationError
from qc.results import Metric


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    fresh = Registry()
    monkeypatch.setattr(declarations, "REGISTRY", fresh)
    return fresh


RIGHT = {"id": "mine.blur", "version": 1, "title": "Blur", "level": "series", "needs": "headers", "source": "here"}


def documented(series, params):
    """Say nothing."""


def problems(function=documented, **changes):
    with pytest.raises(ConfigurationError) as raised:
        check(**{**RIGHT, **changes})(function)
    return raised.value.problems


def test_a_right_declaration_is_registered_and_found_on_the_function(registry):
    function = check(**RIGHT)(documented)
    spec = registry.specs["mine.blur"]
    assert function is documented
    assert function.spec is spec
    assert (spec.method, spec.doc, spec.run) == ("mine.blur/1", "Say nothing.", documented)


@pytest.mark.parametrize("identity", ["Mine", "mine blur", "mine..blur", "1mine", "", "mine.", "mine-blur"])
def test_ids(identity):
    (told,) = problems(id=identity)
    assert "lower case words" in told


def test_a_check_without_documentation():
    assert "no docstring" in problems(lambda series, params: None)[0]


def test_parameters_must_be_a_frozen_dataclass():
    @dataclass
    class Loose:
        size: int = 3

    for params in (Loose, dict, int):
        assert "frozen dataclass" in problems(params=params)[0]


def test_unknown_invariances_are_named_with_the_known_ones():
    (told,) = problems(invariances=("file_order", "mirror"))
    assert "['mirror']" in told
    assert "intensity_scale" in told


def test_a_frame_check_must_be_a_class_of_that_form():
    assert "frame() and finish()" in problems(needs="each_frame")[0]

    class NoFinish:
        """Half."""

        def frame(self, frame): ...

    assert "frame() and finish()" in problems(NoFinish, needs="each_frame")[0]


def test_all_problems_at_once():
    assert len(problems(lambda *a: None, id="X", params=dict, invariances=("mirror",), needs="each_frame")) == 5


@pytest.mark.parametrize("wrong", [{"needs": "pixels"}, {"level": "image"}])
def test_needs_and_level_that_do_not_exist(wrong):
    assert problems(**wrong)


def test_an_id_may_be_declared_once_only():
    check(**RIGHT)(documented)

    def another(series, params):
        """Say nothing either."""

    with pytest.raises(ConfigurationError, match="declared twice"):
        check(**RIGHT)(another)
    check(**RIGHT)(documented)  # the module was imported again


@pytest.mark.parametrize(
    ("applies", "modality", "klass", "meant"),
    [
        (Applies(), "US", "cine", True),
        (Applies(modalities=frozenset({"CT"})), "CT", "image", True),
        (Applies(modalities=frozenset({"CT"})), "MR", "image", False),
        (Applies(classes=frozenset({"phantom:"})), "MR", "phantom:acr_mri_large", True),
        (Applies(classes=frozenset({"phantom:"})), "MR", "image", False),
        (Applies(classes=frozenset({"phantom:acr"})), "MR", "phantom:acr_mri_large", False),  # without the colon it is a whole name
        (Applies(not_classes=frozenset({"localizer"})), "CT", "localizer", False),
        (Applies(frozenset({"CT"}), frozenset({"image"}), frozenset({"image"})), "CT", "image", False),
    ],
)
def test_what_a_check_applies_to(applies, modality, klass, meant):
    assert applies.to(modality, klass) is meant


# -- plug-ins -------------------------------------------------------------------------------------------------------


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Write a package and make it the only plug-in."""

    def write(name, **modules):
        (tmp_path / name).mkdir()
        for module, text in {"__init__": "", **modules}.items():
            (tmp_path / name / f"{module}.py").write_text(text)

        class Entry:
            value = name

        Entry.name = name
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setattr(declarations, "entry_points", lambda group: [Entry] if group == "pacsqc.checks" else [])

    return write


HOSPITAL = '''
from qc.check import check
@check(id="{0}", version=1, title="T", level="series", needs="headers", source="here")
def run(series, params):
    """Say nothing."""
'''


def test_every_module_of_a_package_is_a_plugin(plugin):
    plugin("hospital_a", one=HOSPITAL.format("zz.one"), two=HOSPITAL.format("aa.two"), _private="raise RuntimeError")
    assert [spec.id for spec in load_checks.__wrapped__()] == ["aa.two", "zz.one"]


@pytest.mark.parametrize(
    "text",
    [
        "import no_such_module_at_all",
        "def broken(:",
    ],
)
def test_a_plugin_that_cannot_be_imported_refuses_to_start(plugin, text):
    plugin("hospital_b" if "import" in text else "hospital_c", module=text)
    with pytest.raises(ConfigurationError, match="hospital_"):
        load_checks.__wrapped__()


def test_one_metric_is_declared_in_one_way(monkeypatch, registry):
    for number, unit in enumerate(("mm", "cm")):
        check(**RIGHT | {"id": f"mine.n{number}"}, metrics=[Metric("mine.length", unit, "L", "none", "here")])(documented)
    monkeypatch.setattr(declarations, "load_checks", lambda: tuple(registry.specs.values()))
    with pytest.raises(ConfigurationError, match=r"mine\.length"):
        all_metrics()
