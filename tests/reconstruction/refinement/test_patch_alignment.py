import cv2
import numpy as np
import pytest

from gluestick.reconstruction.refinement.patch_alignment import (
    AlignmentConfig,
    SmoothImage,
    align_patches,
)

SIZE = (200, 160)
A = np.array([[1.05, -0.12], [0.15, 0.93]])
OFFSET = np.array([6.3, -4.6])


def texture(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).uniform(0, 255, SIZE[::-1]).astype(np.float32)
    return cv2.GaussianBlur(noise, (0, 0), 2.0) * 4 - 380


def warped(image: np.ndarray) -> np.ndarray:
    grid = np.stack(np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1])), axis=-1).astype(float)
    source = (grid - OFFSET) @ np.linalg.inv(A).T
    sampled = SmoothImage(image, smoothing=0.0).sample(source)
    return 0.8 * sampled + 20


@pytest.fixture(scope="module")
def images() -> tuple[SmoothImage, SmoothImage]:
    first = texture()
    return SmoothImage(first, smoothing=0.8), SmoothImage(warped(first), smoothing=0.8)


def centres(number: int = 30) -> np.ndarray:
    return np.random.default_rng(1).uniform((50, 50), (150, 110), (number, 2))


def test_patches_are_found_to_a_fraction_of_a_pixel(
    images: tuple[SmoothImage, SmoothImage],
) -> None:
    start = centres()
    true = start @ A.T + OFFSET
    expected = true + np.random.default_rng(2).uniform(-0.7, 0.7, true.shape)
    found = align_patches(*images, start, expected, np.tile(A, (30, 1, 1)))
    assert found.found.mean() > 0.9
    errors = np.linalg.norm(found.positions - true, axis=1)[found.found]
    assert np.median(errors) < 0.03
    assert (found.correlations[found.found] > 0.95).all()


def test_a_rough_map_is_enough(images: tuple[SmoothImage, SmoothImage]) -> None:
    start = centres()
    true = start @ A.T + OFFSET
    found = align_patches(*images, start, true + 0.4, np.tile(np.eye(2), (30, 1, 1)))
    errors = np.linalg.norm(found.positions - true, axis=1)[found.found]
    assert found.found.mean() > 0.6
    assert np.median(errors) < 0.15


def test_what_is_not_there_keeps_its_place(images: tuple[SmoothImage, SmoothImage]) -> None:
    other = SmoothImage(texture(7), smoothing=0.8)
    start = centres()
    found = align_patches(images[0], other, start, start, np.tile(np.eye(2), (30, 1, 1)))
    assert not found.found.any()
    np.testing.assert_array_equal(found.positions, start)


def test_flat_and_distant_patches_are_given_up() -> None:
    flat = SmoothImage(np.full(SIZE[::-1], 9.0), smoothing=0.8)
    middle, corner = np.array([[80.0, 80.0]]), np.array([[2.0, 2.0]])
    assert not align_patches(flat, flat, middle, middle, np.eye(2)[None]).found.any()
    image = SmoothImage(texture(), smoothing=0.8)
    assert align_patches(image, image, middle, middle, np.eye(2)[None]).found.all()
    assert not align_patches(image, image, corner, corner, np.eye(2)[None]).found.any()
    config = AlignmentConfig(max_shift=0.2)
    near = align_patches(image, image, middle, middle + 0.5, np.eye(2)[None], config=config)
    assert not near.found.any()


def test_no_patches_are_no_trouble(images: tuple[SmoothImage, SmoothImage]) -> None:
    nothing = np.zeros((0, 2))
    found = align_patches(*images, nothing, nothing, np.zeros((0, 2, 2)))
    assert found.positions.shape == (0, 2)


def test_values_lie_where_they_are_in_the_image() -> None:
    ramp = np.tile(np.arange(20.0), (20, 1))
    image = SmoothImage(ramp, smoothing=0.0)
    sampled = image.sample(np.array([[[8.0, 9.0], [8.25, 7.5], [9.9, 10.0]]]))
    np.testing.assert_allclose(sampled, [[8.0, 8.25, 9.9]], atol=1e-3)
    gray = texture()
    values = SmoothImage(gray, smoothing=0.0).sample(np.array([[[70.0, 60.0], [99.0, 81.0]]]))
    np.testing.assert_allclose(values, [[gray[60, 70], gray[81, 99]]], atol=0.1)
