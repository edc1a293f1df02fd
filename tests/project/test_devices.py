"""Everything runs where the network is, and gives what it gives on the CPU."""

import copy
import pickle
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from accelerators import Accelerator
from agreement import Result, assert_agrees, assert_same, matched_points
from torch import Tensor

from gluestick.features.extractor import FeatureExtractor
from gluestick.features.image_batch import ImageBatch
from gluestick.features.lines.given import check_lines
from gluestick.images.load import as_image
from gluestick.images.rotation import turn_image
from gluestick.pipeline import PointLineMatcher
from gluestick.pretrained import MODELS
from gluestick.types import Wireframe
from gluestick.viewpoint.affine_evidence import AffineEvidence
from gluestick.viewpoint.view_search import ViewSearchConfig, search_views
from gluestick.wireframe import split_wireframe, stack_wireframes

Images = list[Tensor]

MOST_WAITS = 28
"""How often the host waits for the device in one upright pair without early exit; see
docs/architecture.md."""

ALL_LAYERS = {"depth_confidence": -1, "width_confidence": -1}

MOST_WAITS_OF_A_SEARCH = 55
"""The same in a small search for views; 102 if each were described by itself."""

MOST_WAITS_OF_PAIRS = 11
"""The same while features are matched by a head that judges lines pair by pair."""


@pytest.fixture
def images(leuven: tuple[Tensor, Tensor]) -> Images:
    return [image[:, ::3, ::3].contiguous() for image in leuven]


def build(*, rotation: str = "none", **network) -> PointLineMatcher:
    """The default model with few features and other options."""
    config = MODELS["aliked-lsd"].config
    network = replace(config.lightgluestick, **network)
    config = replace(config, rotation=rotation, lightgluestick=network)
    return PointLineMatcher.from_pretrained(config=config, max_num_keypoints=96, max_num_lines=30)


def assert_on_device(value: object, accelerator: Accelerator) -> None:
    for name, tensor in vars(value).items():
        if isinstance(tensor, Tensor):
            assert tensor.device.type == accelerator.device.type, name


def compare(
    matcher: PointLineMatcher,
    accelerator: Accelerator,
    run: Callable[[PointLineMatcher], Result],
) -> None:
    """Run a matcher on the device and on the CPU."""
    expected, found = run(matcher), run(copy.deepcopy(matcher).to(accelerator.device))
    for value in found:
        assert_on_device(value, accelerator)
    assert len(matched_points(expected)) > 10
    assert_agrees(found, expected, exact=accelerator.fake is not None)


def test_the_default_pair_waits_rarely(accelerator: Accelerator, images: Images) -> None:
    matcher = build(rotation="auto", **ALL_LAYERS).to(accelerator.device)
    matcher(*images)
    assert 0 < accelerator.count_waits(lambda: matcher(*images)) <= MOST_WAITS


def test_a_search_describes_views_at_once(accelerator: Accelerator, images: Images) -> None:
    config = ViewSearchConfig(
        whole_size=128, size=96, unsqueezed_sizes=(96,), sizes=(64,), num_directions=2
    )
    extractor = FeatureExtractor()
    sides = [ImageBatch(images=[image]) for image in (images[0], images[1].flip(2))]
    expected = search_views(extractor, *sides, config=config)
    extractor = extractor.to(accelerator.device)
    found: list[AffineEvidence] = []

    def search() -> None:
        found[:] = search_views(extractor, *sides, config=config)

    assert 0 < accelerator.count_waits(search) <= MOST_WAITS_OF_A_SEARCH
    assert len(found) == len(expected)
    for evidence, on_the_cpu in zip(found, expected, strict=True):
        np.testing.assert_allclose(evidence.affine, on_the_cpu.affine, rtol=1e-3, atol=0.1)


def test_lines_judged_pair_by_pair(accelerator: Accelerator, images: Images) -> None:
    matcher = build(**ALL_LAYERS)
    compare(matcher, accelerator, lambda matcher: matcher(*images))
    sides = [matcher.extract(image).to(accelerator.device) for image in images]
    matcher = matcher.to(accelerator.device)
    assert accelerator.count_waits(lambda: matcher.match(*sides)) <= MOST_WAITS_OF_PAIRS


def test_sizes_are_asked_for_once_for_a_batch(accelerator: Accelerator, images: Images) -> None:
    matcher = build(**ALL_LAYERS).to(accelerator.device)
    batch = matcher.extract([*images, images[0]])
    pair = [matcher.extract(image) for image in images]
    waits = accelerator.count_waits(lambda: matcher.match(*pair))
    assert accelerator.count_waits(lambda: matcher.match(batch, batch)) == waits
    assert waits <= MOST_WAITS_OF_PAIRS
    assert accelerator.count_waits(lambda: split_wireframe(batch)) == 1
    assert accelerator.count_waits(lambda: stack_wireframes([batch, batch])) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"rotation": "auto"},
        {"rotation": "exhaustive"},
        {"line_head": "endpoints", "attention": "full"},
        {"depth_confidence": 0.95},
        {"depth_confidence": 0.95, "width_confidence": 0.99},
    ],
)
def test_a_pair_is_matched_as_on_the_cpu(
    accelerator: Accelerator, images: Images, options: dict
) -> None:
    compare(build(**options), accelerator, lambda matcher: matcher(*images))


@pytest.mark.parametrize("rotation", ["auto", "exhaustive"])
@pytest.mark.parametrize("angle", [90, 40])
def test_a_turned_image(
    accelerator: Accelerator, images: Images, angle: int, rotation: str
) -> None:
    turned = turn_image(images[0], angle=angle)
    compare(build(rotation=rotation), accelerator, lambda matcher: matcher(images[0], turned))


def test_an_image_of_which_nothing_matches(accelerator: Accelerator, images: Images) -> None:
    """The search for a turn compares views on the device."""
    noise = torch.rand(images[0].shape, generator=torch.Generator().manual_seed(0))
    matcher = build(rotation="auto").to(accelerator.device)
    assert_on_device(matcher(images[0], noise)[2], accelerator)


@pytest.mark.parametrize("resized", [False, True])
def test_a_batch_with_masks_and_own_lines(
    accelerator: Accelerator, images: Images, resized: bool
) -> None:
    mask = torch.zeros(images[0].shape[1:], dtype=torch.bool)
    mask[10:170, 20:230] = True
    lines = np.array([[[10.0, 20.0], [100.0, 25.0]], [[50.0, 60.0], [52.0, 160.0]]])
    config = MODELS["aliked-lsd"].config
    resize = replace(config.features.resize, size=200 if resized else None)
    features = replace(config.features, resize=resize)
    matcher = PointLineMatcher.from_pretrained(
        config=replace(config, features=features, rotation="none"),
        max_num_keypoints=96,
        max_num_lines=30,
    )
    blank = torch.full((3, 40, 50), 0.5)
    batch = ([*images, blank], [images[1], *images])
    options = {"mask0": [mask, None, None], "lines1": [None, lines, lines[:0]]}
    expected = matcher(*batch, **options)
    found = matcher.to(accelerator.device)(*batch, **options)
    for ours, theirs in zip(found, expected, strict=True):
        assert_on_device(ours, accelerator)
        if accelerator.fake is not None:
            assert_same(ours, theirs)
    assert found[1].detected_lines[1, :2].tolist() == lines.tolist()


@pytest.mark.parametrize("where", ["inputs", "matcher"])
def test_inputs_may_be_on_another_device(
    accelerator: Accelerator, images: Images, where: str
) -> None:
    """Images, masks and lines on the device while the matcher is not, and the other way round."""
    mask = torch.ones(images[0].shape[1:], dtype=torch.bool)
    lines = check_lines([[10.0, 20.0, 100.0, 25.0], [50.0, 60.0, 52.0, 160.0]])
    matcher = build()
    expected = matcher(*images, mask0=mask, lines1=lines)
    device = accelerator.device if where == "inputs" else "cpu"
    given = [image.to(device) for image in images]
    if where == "matcher":
        matcher.to(accelerator.device)
    found = matcher(*given, mask0=mask.to(device), lines1=lines.to(device))
    assert {value.keypoints.device.type for value in found[:2]} == {matcher.device.type}
    assert_agrees(found, expected, exact=accelerator.fake is not None)


def test_wireframes_are_moved_to_the_network(accelerator: Accelerator, images: Images) -> None:
    matcher = build()
    wireframes = [matcher.extract(image) for image in images]
    expected = (*wireframes, matcher.match(*wireframes))
    matcher.network.to(accelerator.device)
    assert matcher.device.type == accelerator.device.type
    matches = matcher.match(*wireframes)
    assert_on_device(matches, accelerator)
    assert_agrees((*wireframes, matches), expected, exact=accelerator.fake is not None)
    moved = [wireframe.to(accelerator.device) for wireframe in wireframes]
    assert_same(matcher.match(moved[0], wireframes[1]), matches)


def test_an_image_on_the_device_is_an_image(accelerator: Accelerator, images: Images) -> None:
    image = images[0].to(accelerator.device)
    assert accelerator.count_waits(lambda: as_image(image)) <= 1
    assert torch.equal(as_image(image).cpu(), images[0])
    with pytest.raises(ValueError, match="needs values in"):
        as_image(2 * image)
    with pytest.raises(ValueError, match="NaN"):
        as_image(image * torch.nan)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_a_copy_of_a_matcher_is_a_matcher(images: Images, again: Callable) -> None:
    matcher = build(rotation="auto")
    for ours, theirs in zip(again(matcher)(*images), matcher(*images), strict=True):
        assert_same(ours, theirs)


def test_a_matcher_without_parameters_has_a_device_too(accelerator: Accelerator) -> None:
    config = MODELS["aliked-lsd"].config
    sift = replace(config.features, points=replace(config.features.points, name="sift"))
    matcher = PointLineMatcher.from_pretrained()
    matcher = PointLineMatcher(
        extractor=type(matcher.extractor)(sift),
        wireframe=config.wireframe,
        network=torch.nn.Identity(),
    )
    assert matcher.device.type == "cpu"
    assert matcher.to(accelerator.device).device.type == accelerator.device.type
    wireframe: Wireframe = matcher.extract(torch.rand(3, 60, 80))
    assert_on_device(wireframe, accelerator)
