"""Central frequency and transmitter setting from the header, where each vendor keeps them."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from phantoms.synthetic.catalogue import make
from phantoms.synthetic.encode import write
from qc.header import reference_amplitude
from qc.runner import Options, Runner


def measured(folder, edit=None, **options):
    made = make("acr_mri_large", matrix=128, snr=50.0, only_slices=(1, 2, 3, 4, 5, 6, 7, 8), **options).datasets
    for number, dataset in enumerate(made):
        if edit:
            edit(dataset, number)
    write(made, folder)
    with Runner(Options(only=("mr.",))) as runner:
        report = runner.paths([folder])
    assert not [finding for finding in report.findings if finding.code == "check.error"]
    return {judged.measurement.metric: judged.measurement for judged in report.measurements}


def test_ge_gain_in_tenths_of_a_decibel(tmp_path):
    assert measured(tmp_path, transmit=115)["mr.transmit_gain"].value == pytest.approx(11.5)


def test_siemens_reference_amplitude_in_volt(tmp_path):
    found = measured(tmp_path, transmit=277.4246521, vendor="SIEMENS")
    assert found["mr.reference_amplitude"].value == pytest.approx(277.4246521)
    assert "mr.transmit_gain" not in found


def test_nothing_where_the_vendor_writes_nothing(tmp_path):
    assert set(measured(tmp_path)) == {"mr.center_frequency"}


def test_other_creator_in_the_same_place_is_not_taken(tmp_path):
    def other(dataset, number):
        dataset.private_block(0x0019, "SOMEBODY ELSE", create=True).add_new(0x94, "SS", 99)

    assert "mr.transmit_gain" not in measured(tmp_path, other)


def test_setting_that_changes_within_the_series_is_told(tmp_path):
    def rising(dataset, number):
        dataset.private_block(0x0019, "GEMS_ACQU_01", create=True).add_new(0x94, "SS", 115 if number else 120)

    found = measured(tmp_path, rising)["mr.transmit_gain"]
    assert (found.value, found.details["different"]) == (pytest.approx(11.5), [115.0, 120.0])


def test_setting_that_cannot_be(tmp_path):
    found = measured(tmp_path, transmit=-3)["mr.transmit_gain"]
    assert (found.value, found.reason) == (None, "setting_implausible")


def test_siemens_text_that_is_cut_off_is_not_read():
    """Newer protocols hold the name twice, once cut off in a list of what was used: `= 277` and then other bytes."""
    cut = b"Trans\x00TXSPEC.asNucleusInfo[0].flReferenceAmplitude\t = \t277\x03\x00\x00\x00FD"
    whole = b"sTXSPEC.asNucleusInfo[0].flReferenceAmplitude\t = \t277.4246521\nsTXSPEC."
    assert reference_amplitude(cut) is None
    assert reference_amplitude(cut + whole) == pytest.approx(277.4246521)
    assert reference_amplitude(b"sTXSPEC.asNucleusInfo[0].flReferenceAmplitude = 1.2.3\n") is None


def test_enhanced_images_keep_frequency_and_amplitude_in_functional_groups(tmp_path):
    def siemens(dataset, number):
        for place in (dataset, *dataset.SharedFunctionalGroupsSequence):
            if "ImagingFrequency" in place:
                del place.ImagingFrequency
        shared = dataset.SharedFunctionalGroupsSequence[0]
        modifier, inner = Dataset(), Dataset()
        modifier.TransmitterFrequency, modifier.PixelBandwidth = 63.682357, 130.0
        shared.MRImagingModifierSequence = [modifier]
        text = b"\nsTXSPEC.asNucleusInfo[0].flReferenceAmplitude\t = \t300.636444092\n"
        inner.private_block(0x0021, "SIEMENS MR SDS 01", create=True).add_new(0x19, "OB", text)
        shared.private_block(0x0021, "SIEMENS MR SDS 01", create=True).add_new(0xFE, "SQ", [inner])

    found = measured(tmp_path, siemens, multiframe=True)
    assert found["mr.center_frequency"].value == pytest.approx(63.682357)
    assert found["mr.reference_amplitude"].value == pytest.approx(300.636444092)
