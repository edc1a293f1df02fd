from contextlib import suppress
from pathlib import Path

import pytest
import torch

from gluestick.training.examples.cached_batches import CachedBatches
from gluestick.training.examples.feature_store import FeatureStore, entry_name
from gluestick.training.examples.pair_features import ImageFeatures, PairFeatures
from gluestick.training.examples.pairs import DataConfig
from gluestick.wireframe.build import WireframeConfig

ORIGIN = {"seed": 0, "sizes": (1, 2)}


def make_image(seed: int, *, num_keypoints: int = 30, num_lines: int = 6) -> ImageFeatures:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator)

    number = num_keypoints + 2 * num_lines
    return ImageFeatures(
        image_size=torch.tensor([640, 480]),
        scale=torch.tensor(1.0),
        keypoints=400 * draw(num_keypoints, 2),
        keypoint_scores=draw(num_keypoints),
        descriptors=draw(num_keypoints, 8).half(),
        lines=400 * draw(num_lines, 2, 2),
        line_scores=draw(num_lines),
        side_colors=draw(num_lines, 2, 9).half(),
        endpoint_descriptors=draw(num_lines, 2, 8).half(),
        carried=400 * draw(number, 2),
        visible=torch.ones(number, dtype=torch.bool),
        judged=torch.ones(num_lines, dtype=torch.bool),
    )


def make_features(seed: int) -> PairFeatures:
    return PairFeatures(
        kind="worlds" if seed % 2 else "homographies",
        image0=make_image(seed),
        image1=make_image(seed + 100),
        same=torch.tensor([[0, 1], [2, 1]]),
        overlap=torch.tensor([0.5, 0.25]),
    )


def fill(store: FeatureStore, *numbers: int) -> None:
    with store.writing() as file:
        for number in numbers:
            features = make_features(number)
            file.append(entry_name(features.kind, number), features.arrays())


def test_pairs_come_back(tmp_path: Path) -> None:
    fill(FeatureStore(tmp_path, ORIGIN), 3, 4)
    store = FeatureStore(tmp_path, ORIGIN)
    assert store.numbers() == [3, 4]
    assert store.numbers("worlds") == [3]
    found, needed = store.read(4), make_features(4)
    assert torch.equal(found.image1.descriptors, needed.image1.descriptors)
    assert torch.equal(found.same, needed.same)
    with pytest.raises(ValueError, match="no pair 5"):
        store.read(5)


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    first, second = FeatureStore(tmp_path, ORIGIN), FeatureStore(tmp_path, ORIGIN)
    with first.writing() as one, second.writing() as other:
        assert one.path != other.path
        one.append(entry_name("worlds", 1), make_features(1).arrays())
        other.append(entry_name("worlds", 7), make_features(7).arrays())
        assert FeatureStore(tmp_path, ORIGIN).numbers() == [1, 7]
    assert first.numbers() == [1, 7]


def test_a_killed_process_leaves_whole_pairs(tmp_path: Path) -> None:
    with suppress(KeyboardInterrupt), FeatureStore(tmp_path, ORIGIN).writing() as file:
        file.append(entry_name("worlds", 1), make_features(1).arrays())
        raise KeyboardInterrupt
    assert FeatureStore(tmp_path, ORIGIN).numbers() == [1]
    assert FeatureStore(tmp_path, ORIGIN).read(1).kind == "worlds"


def test_other_options_and_damage(tmp_path: Path) -> None:
    fill(FeatureStore(tmp_path, ORIGIN), 1)
    with pytest.raises(ValueError, match="other options, photographs or weights"):
        FeatureStore(tmp_path, ORIGIN | {"seed": 1})
    (tmp_path / "part-000.h5").write_bytes(b"half a file")
    with pytest.raises(ValueError, match=r"part-000\.h5"):
        FeatureStore(tmp_path, ORIGIN)


def test_batches_at_many_budgets(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, ORIGIN)
    fill(store, 0, 1, 2)
    data = DataConfig(num_keypoints=(5, 10), num_lines=(2, 4), least_lengths=(10.0,))
    batches = CachedBatches(
        store=store, pairs=[0, 1, 2], data=data, batch_size=2, wireframe=WireframeConfig()
    )
    sizes = set()
    for number in range(12):
        batch, again = batches[number], batches[number]
        assert torch.equal(batch.wireframe0.keypoints, again.wireframe0.keypoints)
        keypoints = batch.wireframe0.keypoint_mask.sum(1) - batch.wireframe0.num_junctions
        assert len(batch.wireframe0.keypoints) == 2
        sizes.add((int(keypoints[0]), batch.wireframe0.lines.shape[1]))
    assert sizes == {(5, 2), (5, 4), (10, 2), (10, 4)}
    seen = [batches._pair(place) for place in range(6)]
    assert sorted(seen[:3]) == sorted(seen[3:]) == [0, 1, 2]
