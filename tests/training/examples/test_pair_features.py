from pathlib import Path

import pytest
import torch
from training.photographs import write_photographs

from gluestick.datasets.homography_pairs import HomographyPairsConfig
from gluestick.datasets.worlds import PlanarWorldsConfig
from gluestick.features.extractor import FeatureExtractor, FeatureExtractorConfig
from gluestick.features.points.registry import PointDetectorConfig
from gluestick.training.examples.batches import Batch, make_batch
from gluestick.training.examples.pair_features import Budget, PairFeatures, describe_pair
from gluestick.training.examples.pairs import DataConfig, TrainingPair, TrainingPairs
from gluestick.wireframe.build import WireframeConfig

NUM_KEYPOINTS, NUM_LINES, LEAST_LENGTH = 64, 40, 15.0
WHOLE = Budget(num_keypoints=NUM_KEYPOINTS, num_lines=NUM_LINES, least_length=LEAST_LENGTH)


@pytest.fixture(scope="module")
def extractor() -> FeatureExtractor:
    points = PointDetectorConfig(max_num_keypoints=NUM_KEYPOINTS)
    return FeatureExtractor(FeatureExtractorConfig(points=points, side_colors=True)).eval()


def make_pair(folder: Path, *, worlds: float) -> TrainingPair:
    config = DataConfig(
        photographs=str(write_photographs(folder)),
        homographies=1 - worlds,
        worlds=worlds,
        homography=HomographyPairsConfig(width=128, height=96),
        world=PlanarWorldsConfig(width=128, height=96),
        num_keypoints=(NUM_KEYPOINTS,),
        num_lines=(NUM_LINES,),
        least_lengths=(LEAST_LENGTH,),
    )
    return TrainingPairs(config, size=1)[0]


@pytest.mark.parametrize("worlds", [0.0, 1.0])
def test_cached_pairs_are_those_on_the_fly(
    worlds: float, extractor: FeatureExtractor, tmp_path: Path
) -> None:
    pair, config = make_pair(tmp_path, worlds=worlds), WireframeConfig(junction_radius=0.0)
    kept = describe_pair(pair, extractor, device="cpu")
    kept = PairFeatures.from_arrays(kept.kind, kept.arrays())
    assert kept.kind == ("worlds" if worlds else "homographies")
    cut, fresh = kept.cut(WHOLE, config), make_batch([pair], extractor, config, device="cpu")
    assert cut.lines.same.any()
    assert torch.equal(cut.lines.same, fresh.lines.same)
    assert torch.equal(cut.lines.known, fresh.lines.known)
    assert torch.equal(cut.partners, fresh.partners)
    for found, needed in ((cut.wireframe0, fresh.wireframe0), (cut.wireframe1, fresh.wireframe1)):
        assert torch.equal(found.keypoints, needed.keypoints)
        assert torch.equal(found.edge_index, needed.edge_index)
        torch.testing.assert_close(found.descriptors, needed.descriptors, atol=2e-3, rtol=0)
    assert cut.nodes is not None
    assert fresh.nodes is not None
    assert (cut.nodes.matches0 > -1).any()
    assert torch.equal(cut.nodes.matches0, fresh.nodes.matches0)
    assert torch.equal(cut.nodes.matches1, fresh.nodes.matches1)


def small_cut(extractor: FeatureExtractor, folder: Path) -> tuple[PairFeatures, Batch]:
    kept = describe_pair(make_pair(folder, worlds=0.0), extractor, device="cpu")
    budget = Budget(num_keypoints=20, num_lines=5, least_length=20.0)
    return kept, kept.cut(budget, WireframeConfig())


def test_a_budget_keeps_the_best(extractor: FeatureExtractor, tmp_path: Path) -> None:
    kept, batch = small_cut(extractor, tmp_path)
    for image, wireframe in ((kept.image0, batch.wireframe0), (kept.image1, batch.wireframe1)):
        number = int(wireframe.num_junctions)
        assert torch.equal(wireframe.keypoints[0, number:], image.keypoints[:20])
        lengths = (image.lines[:, 1] - image.lines[:, 0]).norm(dim=1)
        assert torch.equal(wireframe.detected_lines[0], image.lines[lengths >= 20.0][:5])
    assert batch.nodes is not None
    matched = batch.nodes.matches0[0]
    number0, number1 = int(batch.wireframe0.num_junctions), int(batch.wireframe1.num_junctions)
    assert (matched[:number0] < number1).all()
    assert ((matched[number0:] >= number1) | (matched[number0:] < 0)).all()


def test_no_lines_are_left(extractor: FeatureExtractor, tmp_path: Path) -> None:
    kept, _ = small_cut(extractor, tmp_path)
    batch = kept.cut(Budget(num_keypoints=8, num_lines=5, least_length=1e4), WireframeConfig())
    assert batch.lines.same.shape == (1, 0, 0)
    assert batch.wireframe0.keypoints.shape[1] == 8
