"""The registry, and what every line detector has to do."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from rendered_edges import distance_to_edge, half_plane, rectangle
from torch import Tensor

from gluestick.checks import ShapeError
from gluestick.features.lines.registry import (
    LINE_DETECTORS,
    LineDetectorConfig,
    build_line_detector,
)
from gluestick.features.protocols import LineDetector

SOME_LINES = [name for name in LINE_DETECTORS if name != "none"]


def build(name: str, **options) -> LineDetector:
    return build_line_detector(LineDetectorConfig(name=name, **options))


def clutter(seed: int = 0) -> Tensor:
    generator = np.random.default_rng(seed)
    image = torch.zeros(3, 160, 200)
    for _ in range(40):
        x, y = generator.integers(0, 180), generator.integers(0, 140)
        width, height = generator.integers(5, 80, 2)
        color = torch.from_numpy(generator.uniform(0, 1, 3)).float()
        image[:, y : y + height, x : x + width] = color[:, None, None]
    return image


@pytest.mark.parametrize("name", LINE_DETECTORS)
def test_every_name_builds_a_line_detector(name: str) -> None:
    detector = build(name)
    assert isinstance(detector, LineDetector)
    assert type(detector) is LINE_DETECTORS[name]


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no line detector 'hough'; there are: lsd, edlines, none"):
        build("hough")


@pytest.mark.parametrize("name", ["edlines", "none"])
@pytest.mark.parametrize("option", [{"refine": "std"}, {"saliency": "nfa"}])
def test_options_that_a_detector_does_not_have_are_refused(name: str, option: dict) -> None:
    (key,) = option
    with pytest.raises(ValueError, match=f"line detector '{name}' has no option '{key}'"):
        build(name, **option)
    build("lsd", **option)
    build(name, max_num_lines=7, min_length=3.0, subpixel=False)


def test_none_finds_nothing() -> None:
    found = build("none").detect(clutter())
    assert found.lines.shape == (0, 2, 2)
    assert found.scores.shape == (0,)


@pytest.mark.parametrize("name", SOME_LINES)
@pytest.mark.parametrize("angle", [0.0, np.pi / 2, 0.3, -0.4])
@pytest.mark.parametrize(("dark", "bright"), [(0.2, 0.8), (0.8, 0.2)])
def test_edges_are_found_where_they_are(
    name: str, angle: float, dark: float, bright: float
) -> None:
    detector = build(name)
    middle = 47.5 * (np.cos(angle) + np.sin(angle))
    errors = []
    for position in middle + np.linspace(-0.5, 0.5, 6):
        found = detector.detect(half_plane(position, angle=angle, dark=dark, bright=bright))
        assert len(found.lines) == 1
        errors.append(distance_to_edge(found.lines[0].numpy(), position, angle=angle))
    assert np.abs(errors).max() < 0.07
    assert np.abs(np.mean(errors)) < 0.02


@pytest.mark.parametrize("name", SOME_LINES)
def test_the_four_sides_of_a_rectangle(name: str) -> None:
    sides = {"left": 20.3, "top": 30.6, "right": 70.45, "bottom": 60.8}
    lines = build(name).detect(rectangle(**sides)).lines
    assert len(lines) == 4
    vertical = (lines[:, 0, 0] - lines[:, 1, 0]).abs() < 1
    x = lines[vertical][..., 0].mean(dim=1).sort().values
    y = lines[~vertical][..., 1].mean(dim=1).sort().values
    torch.testing.assert_close(x, torch.tensor([20.3, 70.45]), atol=0.05, rtol=0)
    torch.testing.assert_close(y, torch.tensor([30.6, 60.8]), atol=0.05, rtol=0)
    lengths = (lines[:, 0] - lines[:, 1]).norm(dim=1).sort().values
    expected = torch.tensor([30.2, 30.2, 50.15, 50.15])
    torch.testing.assert_close(lengths, expected, atol=5.0, rtol=0)


@pytest.mark.parametrize("name", SOME_LINES)
def test_without_subpixel_accuracy_edges_are_still_near(name: str) -> None:
    detector = build(name, subpixel=False)
    errors = [
        distance_to_edge(detector.detect(half_plane(position)).lines[0].numpy(), position)
        for position in 47.5 + np.linspace(-0.45, 0.45, 10)
    ]
    largest, mean = (0.15, 0.06) if name == "lsd" else (0.56, 0.11)
    assert np.abs(errors).max() < largest
    assert np.abs(np.mean(errors)) < mean


@pytest.mark.parametrize("name", SOME_LINES)
def test_lines_are_best_first_and_long_enough(name: str) -> None:
    found = build(name, max_num_lines=30, min_length=12.0).detect(clutter())
    assert len(found.lines) == 30
    assert (found.scores.diff() <= 0).all()
    assert (found.scores > 0).all()
    assert ((found.lines[:, 0] - found.lines[:, 1]).norm(dim=1) >= 12).all()
    every = build(name, max_num_lines=None, min_length=12.0).detect(clutter())
    assert len(every.lines) > 30
    assert torch.equal(every.lines[:30], found.lines)


@pytest.mark.parametrize("name", SOME_LINES)
def test_lines_stay_inside_the_mask(name: str) -> None:
    image = clutter()
    mask = torch.zeros(image.shape[1:], dtype=torch.bool)
    mask[20:140, 30:120] = True
    lines = build(name).detect(image, mask=mask).lines
    assert 0 < len(lines) < len(build(name).detect(image).lines)
    assert lines[..., 0].min() >= 29.5
    assert lines[..., 0].max() <= 119.5
    assert lines[..., 1].min() >= 19.5
    assert lines[..., 1].max() <= 139.5
    assert len(build(name).detect(image, mask=torch.zeros_like(mask)).lines) == 0


@pytest.mark.parametrize("name", LINE_DETECTORS)
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (2, 3), (5, 7), (64, 80)])
def test_blank_and_tiny_images_have_no_lines(name: str, size: tuple[int, int]) -> None:
    for image in (torch.zeros(3, *size), torch.ones(3, *size)):
        mask = torch.ones(size, dtype=torch.bool)
        found = build(name, min_length=0.0).detect(image, mask=mask)
        assert found.lines.shape == (0, 2, 2)
        assert found.scores.shape == (0,)
        assert found.lines.dtype == found.scores.dtype == torch.float32


@pytest.mark.parametrize("name", SOME_LINES)
def test_wrong_shapes_are_refused(name: str) -> None:
    with pytest.raises(ShapeError, match=r"image needs the shape \[3 H W\]"):
        build(name).detect(torch.zeros(1, 30, 30))
    with pytest.raises(ShapeError, match=r"mask needs the shape \[H W\] with H = 30"):
        build(name).detect(torch.zeros(3, 30, 40), mask=torch.ones(40, 30, dtype=torch.bool))


@pytest.mark.parametrize("name", SOME_LINES)
def test_one_detector_serves_several_threads(name: str) -> None:
    detector = build(name)
    images = [clutter(seed) for seed in range(4)] * 4
    expected = [detector.detect(image).lines for image in images]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda image: detector.detect(image).lines, images))
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
