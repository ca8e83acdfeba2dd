"""The no-reference measures against analytic truth and published formula cases."""

import numpy as np
import pytest

from phantoms.synthetic import spoil
from phantoms.synthetic.degrade import magnitude_noise, through_psf
from phantoms.synthetic.shapes import Grid, ellipse
from qc.measure.border import both_ends, cut_off
from qc.measure.depth import high_bytes_only, swapped_roughness, used_bits
from qc.measure.elements import dark_columns, linear_field
from qc.measure.exposure import deviation_index
from qc.measure.ghost_bands import air_is_noise, amplitude, bands
from qc.measure.likeness import exchanges, near_copies, odd_slices, texture, thumbnail
from qc.measure.lone_wave import lone_wave
from qc.measure.polar import ring_sums
from qc.measure.sharpness import REACHES, RISE_OF_SIGMA, borders, edge_profiles, fine_structure, rise_px
from qc.measure.timecourse import drift_percent, dvars, likeness_to_median, spikes, standardised_dvars, temporal_snr
from qc.measure.tissue import cjv, cnr, efc, fber, otsu, snr_dietrich, two_classes
from qc.measure.uptake import decayed, nuclide, suv


def rng(seed=0):
    return np.random.default_rng(seed)


# -- MRIQC's formulas, exact --------------------------------------------------------------------------------------------


def test_entropy_focus_criterion_of_the_published_cases():
    delta, half = np.zeros((64, 64)), np.zeros(4096)
    delta[3, 5], half[:2048] = 7.0, 1.0
    assert efc(np.full((64, 64), 12.0)) == pytest.approx(1.0, abs=1e-12)
    assert efc(delta) == pytest.approx(0.0, abs=1e-12)
    assert efc(half) == pytest.approx(np.sqrt(0.5) * np.log(np.sqrt(2048)) / np.log(64), abs=1e-12)
    assert round(efc(half), 5) == 0.64818
    assert efc(np.zeros((8, 8))) is None
    with pytest.raises(ValueError, match=">= 0"):
        efc(np.array([-1.0, 2.0]))


def test_ratios_by_arithmetic():
    assert fber(np.full(10, 100.0), np.full(10, 2.0)) == 2500.0
    assert fber(np.full(10, 100.0), np.zeros(10)) is None  # MRIQC writes -1 here
    assert cjv(700, 500, 40, 60) == 0.5
    assert cnr(700, 500, 30, 40, 0) == 4.0
    assert snr_dietrich(655.1, 6.551) == pytest.approx(65.51, rel=1e-3)


def test_signal_to_noise_in_air_of_a_magnitude_image():
    image = magnitude_noise(np.zeros((200, 200)), 10.0, rng())
    assert snr_dietrich(1000.0, image.std()) == pytest.approx(100.0, rel=0.02)
    assert air_is_noise(image.ravel()) == 1
    assert air_is_noise(magnitude_noise(np.zeros((200, 200)), 10.0, rng(), coils=4).ravel()) == 4
    assert air_is_noise(np.where(rng().random(4000) < 0.5, 0.0, 5.0)) is None


@pytest.mark.parametrize("factor", [1.0, 37.0])
def test_two_tissues_are_found_where_there_are_two(factor):
    r = rng(1)
    found = two_classes(factor * np.r_[r.normal(500, 30, 5000), r.normal(700, 30, 3000)])
    assert found.low == pytest.approx((500 * factor, 30 * factor), rel=0.05)
    assert found.high == pytest.approx((700 * factor, 30 * factor), rel=0.05)
    assert two_classes(r.normal(500, 30, 8000)) is None
    assert two_classes(np.r_[r.normal(30, 8, 4000), r.normal(700, 30, 4000)]) is None  # air and brain are no two tissues
    assert two_classes(np.full(1000, 3.0)) is None


def test_otsu_parts_two_levels_in_the_middle():
    assert otsu(np.r_[rng().normal(0, 5, 5000), rng(1).normal(100, 5, 5000)]) == pytest.approx(50, abs=15)
    assert np.isnan(otsu(np.ones(50)))


# -- sharpness ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spacing", [0.7, 1.0])
@pytest.mark.parametrize("sigma", [1.0, 1.5, 2.2])
def test_edge_width_in_mm(spacing, sigma):
    grid = Grid(round(240 / spacing), round(240 / spacing), (spacing, spacing))
    image = through_psf(grid, lambda g: 1000 * ellipse(g, (0.3, 0.2), (80, 95)), sigma) + rng(2).normal(0, 15, grid.shape)
    for reach in REACHES:
        places = borders(image[1:-1], image[:-2], image[2:], 0, 1000)
        found = rise_px(edge_profiles(image[1:-1], places, 0, 1000, reach))
        if found is not None and found < 0.8 * reach:
            break
    truth = RISE_OF_SIGMA * np.sqrt(sigma**2 + spacing**2 / 12)  # the area of a pixel blurs too
    assert found * spacing == pytest.approx(truth, rel=0.10)


@pytest.mark.parametrize(("spacing", "scalp"), [(0.9, 4.0), (0.9, 8.0), (1.2, 6.0)])
@pytest.mark.parametrize("sigma", [0.6, 1.0])
def test_edge_width_of_a_thin_scalp_over_dark_bone(spacing, scalp, sigma):
    grid = Grid(round(240 / spacing), round(240 / spacing), (spacing, spacing))

    def draw(g):
        bone, brain = ellipse(g, (0.3, 0.2), (80 - scalp, 95 - scalp)), ellipse(g, (0.3, 0.2), (74 - scalp, 89 - scalp))
        return 900 * ellipse(g, (0.3, 0.2), (80, 95)) - 840 * bone + 460 * brain

    image = through_psf(grid, draw, sigma) + rng(2).normal(0, 15, grid.shape)
    places = borders(image[1:-1], image[:-2], image[2:], 0, 520)
    found = rise_px(edge_profiles(image[1:-1], places, 0, 520, REACHES[0]))
    assert found * spacing == pytest.approx(RISE_OF_SIGMA * np.sqrt(sigma**2 + spacing**2 / 12), rel=0.10)


def test_no_edge_no_width():
    image = rng().normal(0, 10, (100, 100))
    assert len(edge_profiles(image, borders(image[1:-1], image[:-2], image[2:], 0, 1000), 0, 1000, 5)) == 0
    assert rise_px(np.zeros((0, 10))) is None


def test_fine_structure_is_free_from_white_noise():
    noise = rng().normal(0, 10, (300, 300))
    assert fine_structure(noise, 0.0, 1.0) == pytest.approx(np.sqrt(20) * 10, rel=0.01)
    wave = spoil.herringbone(np.zeros((300, 300)), 100.0, (0.1, 0.0))
    truth = fine_structure(wave, 0.0, 1.0)
    assert fine_structure(wave + noise, 10.0, 1.0) == pytest.approx(truth, rel=0.05)


# -- ghosts, waves, rings -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("share", [0.05, 0.15])
def test_ghost_amplitude(axis, share):
    grid = Grid(160, 160, (1.0, 1.0))
    clean = 1000 * ellipse(grid, (0, 0), (40, 48))
    image = magnitude_noise(spoil.motion_ghost(clean, share, axis, (0.5,)), 10.0, rng(3))
    parts = bands(image, 250.0, axis, (3, 3))
    assert amplitude(image, parts, axis) == pytest.approx(share, abs=0.012)
    assert amplitude(magnitude_noise(clean, 10.0, rng(4)), bands(image, 250.0, axis, (3, 3)), axis) < 0.012
    assert amplitude(image, bands(image, 250.0, 1 - axis, (3, 3)), 1 - axis) < 0.01  # along the other direction there is none


@pytest.mark.parametrize("cycles", [(0.21, 0.13), (0.1, 0.33), (-0.4, 0.2)])
def test_a_wave_at_an_angle(cycles):
    noise = rng(5).normal(100, 10, (256, 256))
    wave = lone_wave(spoil.herringbone(noise, 5.0, cycles))
    assert wave.ratio > 100
    assert wave.amplitude == pytest.approx(5.0, rel=0.1)
    assert wave.period_px == pytest.approx(1 / np.hypot(*cycles), rel=0.03)
    assert max(lone_wave(rng(seed).normal(0, 10, (256, 256))).ratio for seed in range(10)) < 12
    assert lone_wave(np.zeros((128, 128))) is None


@pytest.mark.parametrize(("height", "images"), [(6.0, 4), (3.0, 12), (-6.0, 4)])
def test_a_ring_and_its_height(height, images):
    rows, columns = np.mgrid[:320, :320] - 159.5
    disc = np.where(np.hypot(rows - 8, columns + 12) < 130, 0.0, -1000.0)
    sums = None
    for seed in range(images):
        image = spoil.ring(disc, height, 61.0, (159.5, 159.5)) + rng(seed).normal(0, 12, disc.shape)
        sums = ring_sums(image, (159.5, 159.5), -150, 150, 60, sums)
    found = sums.strongest()
    assert found.score > 6
    assert abs(found.radius_px - 61) <= 1
    assert found.height == pytest.approx(height, abs=1.2)


def test_the_rim_of_a_phantom_is_no_ring():
    rows, columns = np.mgrid[:320, :320] - 159.5
    image = np.where(np.hypot(rows, columns) < 100, 0.0, np.where(np.hypot(rows, columns) < 104, 120.0, -1000.0))
    sums = None
    for seed in range(4):
        sums = ring_sums(image + rng(seed).normal(0, 8, image.shape), (159.5, 159.5), -150, 150, 60, sums)
    assert sums.strongest().score < 6


# -- time ---------------------------------------------------------------------------------------------------------------


def test_white_noise_in_time():
    series = 1000 + rng(6).normal(0, 3, (60, 4000))
    assert temporal_snr(series) == pytest.approx(1000 / 3, rel=0.02)
    assert np.median(dvars(series)) == pytest.approx(3 * np.sqrt(2), rel=0.02)
    assert np.median(standardised_dvars(series)) == pytest.approx(1.0, rel=0.03)
    assert spikes(series, np.arange(4000) // 400) == []
    assert temporal_snr(np.ones((5, 10))) is None


@pytest.mark.parametrize("time", [0, 7, 29])
def test_one_bright_image_is_one_spike_and_no_drift(time):
    series, slice_of = 1000 + rng(7).normal(0, 10, (30, 2000)), np.arange(2000) // 200
    series[time, slice_of == 4] *= 1.05
    found = spikes(series, slice_of)
    assert [(one.time, one.slice) for one in found] == [(time, 4)]
    assert drift_percent(series.mean(axis=1)) == pytest.approx(0.0, abs=0.2)
    assert likeness_to_median(series + 500 * np.sin(np.arange(2000)), slice_of).min() > 0.99


def test_drift_of_an_even_rise():
    assert drift_percent(np.linspace(100, 102, 21)) == pytest.approx(200 / 101)


# -- slices -------------------------------------------------------------------------------------------------------------


def head_stack(slices=24, size=96, noise=8.0):
    """An egg that grows and shrinks, with a moving spot."""
    grid, r = Grid(size, size, (2.0, 2.0)), rng(8)
    stack = []
    for k in range(slices):
        a = 40 + 30 * np.sin(np.pi * (k + 3) / (slices + 8))
        picture = 100 * ellipse(grid, (0, 0), (a, a + 15)) + 60 * ellipse(grid, (-30 + 2.5 * k, 10), (12, 12))
        stack.append(picture + r.normal(0, noise, grid.shape))
    return stack


def thumbnails(stack):
    return np.stack([thumbnail(one).ravel() for one in stack])


def test_a_stack_in_order_has_no_odd_slice():
    pictures = thumbnails(head_stack())
    assert odd_slices(pictures) == []
    assert exchanges(pictures) == []


def test_a_small_picture_is_the_mean_of_each_field():
    ramp = np.arange(160.0)[:, None] + np.zeros((160, 200))
    rows = np.arange(20.0)
    assert np.allclose(thumbnail(ramp), ((rows - rows.mean()) / rows.std())[:, None], atol=2e-3)
    checks = np.indices((160, 160)).sum(axis=0) % 4 < 2  # finer than a field: nothing is left of it
    assert np.ptp(thumbnail(1000.0 * (np.arange(160) < 80)[:, None] + checks)[:10]) < 0.02


@pytest.mark.parametrize("pair", [(6, 16), (3, 9), (12, 17), (1, 22)])
def test_swapped_slices_name_each_other(pair):
    one, other = pair
    stack = head_stack()
    stack[one], stack[other] = stack[other], stack[one]
    found = exchanges(thumbnails(stack))
    assert [{pair.one, pair.other} for pair in found] == [{one, other}]
    assert found[0].left < 0.5


def test_a_body_alike_on_both_sides_has_no_swapped_slices():
    egg = [ellipse(Grid(96, 96, (2.0, 2.0)), (0, 0), (a, a + 10)) for a in 80 * np.sqrt(1 - np.linspace(-0.95, 0.95, 19) ** 2)]
    assert exchanges(thumbnails([100 * one + rng(k).normal(0, 4, one.shape) for k, one in enumerate(egg)])) == []


def test_noise_has_no_swapped_slices():
    assert exchanges(thumbnails(rng(11).normal(0, 1, (200, 96, 96)))) == []


def test_a_foreign_slice_fits_nowhere():
    stack = head_stack()
    stack[10] = stack[10][::-1, ::-1]
    stack[10] = np.roll(stack[10], 20, axis=1)
    pictures = thumbnails(stack)
    assert [one.index for one in odd_slices(pictures)] == [10]
    assert exchanges(pictures) == []


def test_near_copies_are_told_from_neighbours_by_their_noise():
    stack = head_stack()
    stack[12] = stack[5] + rng(9).normal(0, 0.3, stack[5].shape)
    pairs = near_copies(np.stack([texture(one) for one in stack]))
    assert [(one, other) for one, other, _ in pairs] == [(5, 12)]
    assert texture(np.zeros((64, 64))) is None


def test_slices_that_share_their_noise_are_no_copies():
    noise = rng(10).normal(0, 8, (30, 96, 96))
    shared = [noise[k] + 0.99 * noise[k + 1] for k in range(29)]  # every slice half the last one, as overlapping slices are
    assert near_copies(np.stack([texture(one) for one in shared])) == []
    slow = np.cumsum(noise, axis=0)[10:]  # nearly the same noise from slice to slice: correlation up to 0.98
    assert near_copies(np.stack([texture(one) for one in slow])) == []
    shared[20] = shared[4] + rng(12).normal(0, 0.5, shared[4].shape)
    assert [(one, other) for one, other, _ in near_copies(np.stack([texture(one) for one in shared]))] == [(4, 20)]


# -- field of view, levels, elements ------------------------------------------------------------------------------------


def test_share_of_the_border_in_the_body():
    grid = Grid(200, 200, (1.0, 1.0))
    whole = 1000 * ellipse(grid, (0, 0), (60, 80)) - 1000 + rng().normal(0, 10, grid.shape)
    assert cut_off(whole, -300).percent == 0.0
    wide = np.where(np.abs(np.arange(200) - 99.5) < 50, 0.0, -1000.0)[:, None] * np.ones(200) + rng().normal(0, 5, (200, 200))
    found = cut_off(wide, -300)
    assert found.percent == pytest.approx(25.0, abs=1.5)  # two of four sides, half of each
    assert not found.round
    rows, columns = np.mgrid[:200, :200] - 99.5
    padded = np.where(np.hypot(rows, columns) < 100, np.maximum(wide, -1000), -2000.0)
    assert cut_off(padded, -300).round
    assert cut_off(padded, -300).percent == pytest.approx(100 * 4 * np.arcsin(0.5) / (2 * np.pi), abs=2.5)


def test_a_couch_on_the_border_is_no_body():
    grid = Grid(256, 256, (1.0, 1.0))
    head = 1000 * ellipse(grid, (0, 0), (70, 85)) - 1000 + rng().normal(0, 10, grid.shape)
    head[248:252], head[252:] = -150, -650  # a wall of 4 mm; the border is read in it
    assert cut_off(head, -300, depth=12).percent == 0.0
    head[:, 60:196] = 30  # a neck that fills the field from end to end
    assert cut_off(head, -300, depth=12).percent == pytest.approx(100 * 2 * 136 / (4 * 249), abs=1.5)


def test_both_ends():
    image = np.zeros((100, 100))
    image[:, 30:70] = 100
    assert both_ends(image, 50, 0) == 1.0
    assert both_ends(image, 50, 1) == 0.0
    assert both_ends(np.zeros((10, 10)), 50, 0) == 0.0


def test_bits_and_bytes():
    assert used_bits(np.arange(1001, dtype=np.int16)) == pytest.approx(np.log2(1000), abs=0.01)
    assert used_bits(np.ones((10, 10), np.int16)) == 0.0
    smooth = (1000 + 300 * np.sin(np.arange(128) / 20)[None, :] + rng().normal(0, 8, (128, 128))).astype(np.uint16)
    assert swapped_roughness(smooth) < 0.5
    assert swapped_roughness(smooth.byteswap()) > 2.5
    assert swapped_roughness(smooth.astype(np.uint8)) == 1.0


@pytest.mark.parametrize("kind", [np.int16, np.uint16])
def test_values_of_one_byte_in_the_place_of_the_other(kind):
    faint = np.clip(60 + 30 * np.sin(np.arange(128) / 20)[None, :] + rng().normal(0, 3, (128, 128)), 0, 127).astype(kind)
    assert swapped_roughness(faint.byteswap()) < 2.5  # as smooth as before
    assert high_bytes_only(faint.byteswap())
    assert not high_bytes_only(faint)
    assert not high_bytes_only((1000 + faint).byteswap())
    assert not high_bytes_only(256 * (faint > 60).astype(kind))  # a mask
    assert not high_bytes_only(np.zeros((16, 16), kind))


def test_dead_elements_of_a_linear_probe():
    r = rng(10)
    echoes = np.zeros((300, 400))
    echoes[30:280, 50:350] = r.rayleigh(60, (12, 250, 300)).mean(axis=0)
    field = linear_field(echoes)
    assert (field.top, field.left) == (30, 50)
    assert dark_columns(echoes, field) is None
    dip = dark_columns(spoil.dead_elements(echoes, 180, 8), field)
    assert (dip.first, dip.width) == (180, 8)
    shadow = echoes.copy()
    shadow[130:, 180:188] *= 0.1  # a stone: nothing is dark above it
    assert dark_columns(shadow, field) is None
    rows, columns = np.mgrid[:300, :400]
    sector = r.rayleigh(60, (300, 400)) * (np.abs(columns - 200) < rows * 0.6)
    assert linear_field(sector) is None


# -- indices ------------------------------------------------------------------------------------------------------------


def test_deviation_index():
    assert deviation_index(250, 125) == pytest.approx(3.0103, abs=1e-4)
    assert deviation_index(200, 200) == 0.0


def test_uptake():
    assert decayed(250e6, 6586.2, 6586.2) == pytest.approx(125e6)
    assert suv(250e6 / 70_000, 70, 250e6) == pytest.approx(1.0)
    assert nuclide("^18^Fluorine") == "F-18"
    assert nuclide("F-18") == "F-18"
    assert nuclide("^68^Gallium") == "GA-68"
    assert nuclide("Technetium") is None
