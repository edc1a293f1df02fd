"""Where and in which precision detectors run, and what they leave behind."""

import copy
import gc
import pickle
import weakref

import pytest
import torch
from accelerators import Accelerator
from agreement import assert_same, share_kept
from features.points.kinds import build
from rendered_scenes import patchwork
from torch import Tensor, nn

from gluestick.features.extractor import FeatureExtractor
from gluestick.wireframe import WireframeConfig, build_wireframe


def extractor_of(kind: str) -> FeatureExtractor:
    return FeatureExtractor(point_detector=build(kind)).eval()


def positions(*, seed: int = 0) -> Tensor:
    return torch.rand(7, 2, generator=torch.Generator().manual_seed(seed)) * 90


def test_features_are_where_the_extractor_is(kind: str, accelerator: Accelerator) -> None:
    extractor, images = extractor_of(kind), [patchwork(96, 128), patchwork(80, 100, seed=1)]
    mask = torch.ones(96, 128, dtype=torch.bool)
    mask[:, :20] = False
    expected = extractor(images, masks=[mask, None], turns=[0.0, 30.0])
    extractor.to(accelerator.device)
    assert extractor.device.type == accelerator.device.type
    found = extractor(images, masks=[mask, None], turns=[0.0, 30.0])
    for value in vars(found).values():
        assert not isinstance(value, Tensor) or value.device.type == accelerator.device.type
    if accelerator.fake is not None:
        assert_same(found, expected)
    else:
        matching = share_kept(found.keypoints[0], expected.keypoints[0], tolerance=0.1)
        assert matching >= 0.9
    wireframe = build_wireframe(found, WireframeConfig(keypoint_radius=3.0))
    assert wireframe.descriptors.device.type == accelerator.device.type


def test_positions_on_any_device_are_described(kind: str, accelerator: Accelerator) -> None:
    image, extractor = patchwork(96, 128), extractor_of(kind)
    expected = extractor([image]).describe[0](positions())
    describe = extractor.to(accelerator.device)([image]).describe[0]
    here, there = describe(positions()), describe(positions().to(accelerator.device))
    assert here.device.type == "cpu"
    assert there.device.type == accelerator.device.type
    for found in (here, there.cpu()):
        torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_a_sampler_can_be_copied(kind: str, again) -> None:
    features = extractor_of(kind)([patchwork(96, 128)], turns=[20.0])
    restored = again(features)
    assert_same(restored, features)
    described = [value.describe[0](positions()) for value in (features, restored)]
    assert torch.equal(*described)
    torch.testing.assert_close(described[0].norm(dim=1), torch.ones(7))


def test_maps_are_freed_with_the_features(kind: str) -> None:
    """Images are extracted one by one, so the maps of one are gone when those of another come."""
    alive: list[weakref.ref] = []
    for features in extractor_of(kind).each([patchwork(96, 128), patchwork(96, 128, seed=1)]):
        assert all(reference() is None for reference in alive)
        alive += [weakref.ref(sampler) for sampler in features.describe]
        wireframe = build_wireframe(features)
        del features
    assert wireframe.descriptors.shape[1] > 10
    assert len(alive) == 2
    assert all(reference() is None for reference in alive)


def test_no_tensor_of_an_extraction_stays(kind: str) -> None:
    """Apart from the parameters, what a sampler has kept is gone, without a garbage collector."""
    extractor = extractor_of(kind)
    features = extractor([patchwork(96, 128)])
    kept = {id(value) for value in (*extractor.parameters(), *extractor.buffers())}
    maps = [weakref.ref(value) for value in tensors_in(features.describe) if id(value) not in kept]
    assert maps or kind == "sift"
    gc.disable()
    try:
        build_wireframe(features)
        del features
        assert all(reference() is None for reference in maps)
    finally:
        gc.enable()


def tensors_in(value: object) -> list[Tensor]:
    """Return the tensors that a value of dataclasses, tuples and modules refers to."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, nn.Module):
        return []
    entries = value if isinstance(value, tuple) else vars(value).values()
    return [
        tensor
        for entry in entries
        if isinstance(entry, (Tensor, tuple)) or hasattr(entry, "__dataclass_fields__")
        for tensor in tensors_in(entry)
    ]


@pytest.mark.parametrize("change", ["half", "bfloat16", "double"])
def test_detectors_stay_in_single_precision(kind: str, change: str) -> None:
    extractor, image = extractor_of(kind), patchwork(96, 128)
    expected = extractor([image])
    found = getattr(extractor, change)()([image])
    assert_same(found, expected)
    assert found.keypoints.dtype == torch.float32


def test_autocast_changes_nothing(kind: str) -> None:
    extractor, image = extractor_of(kind), patchwork(96, 128)
    expected = extractor([image])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = extractor([image])
        described = found.describe[0](positions())
        alone = extractor.point_detector.detect(image)
    assert_same(found, expected)
    assert torch.equal(described, expected.describe[0](positions()))
    assert torch.equal(alone.descriptors, expected.descriptors[0])


def test_training_mode_leaves_a_detector_alone(kind: str) -> None:
    extractor, image = extractor_of(kind), patchwork(96, 128)
    expected = extractor([image])
    assert extractor.train().training
    assert_same(extractor([image]), expected)
    assert_same(extractor.eval()([image]), expected)


def test_a_detector_is_unfrozen_on_its_own() -> None:
    extractor, image = extractor_of("aliked"), patchwork(96, 128)
    before = copy.deepcopy(extractor.state_dict())
    extractor.point_detector.train()
    extractor.train()
    extractor([image])
    moved = [
        name for name, value in extractor.state_dict().items() if (value != before[name]).any()
    ]
    assert moved
    assert all("bn" in name for name in moved)
    assert not extractor.eval().point_detector.training
