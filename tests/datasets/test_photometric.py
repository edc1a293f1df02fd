import numpy as np
import pytest

from gluestick.datasets.photometric import (
    PhotometricChange,
    illumination_difference,
    sample_photometric_change,
)


@pytest.fixture
def image() -> np.ndarray:
    rng = np.random.default_rng(0)
    smooth = np.kron(rng.integers(0, 256, (12, 16, 3)), np.ones((10, 10, 1)))
    return smooth.astype(np.uint8)


CHANGES = [
    PhotometricChange(rain=True),
    PhotometricChange(brightness=-0.2),
    PhotometricChange(contrast=-0.3),
    PhotometricChange(gamma=0.4),
    *(PhotometricChange(degradation=d) for d in ("blur", "motion_blur", "noise", "compression")),
    *(PhotometricChange(recoloring=c) for c in ("equalize", "clahe", "gray", "sepia")),
    PhotometricChange(recoloring="hue", value_shift=-0.3),
]


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_alters_pixels_and_is_repeatable(
    image: np.ndarray, change: PhotometricChange
) -> None:
    before = image.copy()
    changed = change.apply(image)
    assert changed.shape == image.shape
    assert changed.dtype == np.uint8
    assert (changed != image).any()
    np.testing.assert_array_equal(change.apply(image), changed)
    np.testing.assert_array_equal(image, before)


def test_no_change_keeps_the_image(image: np.ndarray) -> None:
    np.testing.assert_array_equal(PhotometricChange().apply(image), image)


@pytest.mark.parametrize(
    "change",
    [
        PhotometricChange(brightness=-0.2, contrast=-0.1),
        PhotometricChange(gamma=0.4),
        PhotometricChange(recoloring="hue", value_shift=-0.3),
    ],
)
def test_the_tone_curve_tells_what_becomes_of_grey(change: PhotometricChange) -> None:
    gray = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    changed = change.apply(gray).max(axis=2)[0] / 255
    np.testing.assert_allclose(change.tone(np.arange(256) / 255), changed, atol=1.5 / 255)


def test_illumination_difference() -> None:
    none, dark = PhotometricChange(), PhotometricChange(brightness=-0.4)
    assert illumination_difference(none, none) == 0
    assert 0.2 < illumination_difference(none, dark) < 0.4
    assert illumination_difference(none, dark) == illumination_difference(dark, none)


def test_sampled_changes_are_as_likely_as_asked() -> None:
    unchanged = sum(
        sample_photometric_change(np.random.default_rng(seed)) == PhotometricChange()
        for seed in range(1000)
    )
    assert 0.2 < unchanged / 1000 < 0.3
    never = sample_photometric_change(np.random.default_rng(0), probability=0.0)
    assert never == PhotometricChange()
