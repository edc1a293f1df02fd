from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader
from training.photographs import write_photographs

from gluestick.datasets.holdout import is_held_out
from gluestick.datasets.homography_pairs import HomographyPairs, HomographyPairsConfig
from gluestick.datasets.worlds import PlanarWorldsConfig
from gluestick.training.examples.pairs import DataConfig, TrainingPair, TrainingPairs


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataConfig:
    return DataConfig(
        photographs=str(write_photographs(tmp_path_factory.mktemp("photographs"))),
        homography=HomographyPairsConfig(width=128, height=96),
        world=PlanarWorldsConfig(width=128, height=96, supersampling=1),
        num_lines=(5, 8),
        num_keypoints=(20, 40),
    )


def first_of(pairs: list[TrainingPair]) -> TrainingPair:
    return pairs[0]


def test_any_number_of_workers_makes_the_same_pairs(data: DataConfig) -> None:
    pairs = TrainingPairs(data, size=6)
    found = [
        list(DataLoader(pairs, batch_size=1, num_workers=number, collate_fn=first_of))
        for number in (0, 2)
    ]
    for first, second in zip(*found, strict=True):
        assert first.num_keypoints == second.num_keypoints
        for side in (0, 1):
            assert torch.equal(first.images[side], second.images[side])
            assert torch.equal(first.lines[side].lines, second.lines[side].lines)
    kinds = {pair.H_0to1 is None for pair in found[0]}
    assert kinds == {True, False}


def test_budgets(data: DataConfig) -> None:
    pairs = [TrainingPairs(data, size=8)[index] for index in range(8)]
    assert {pair.num_keypoints for pair in pairs} == {20, 40}
    assert max(len(lines.lines) for pair in pairs for lines in pair.lines) <= 8
    for pair in pairs:
        assert (pair.H_0to1 is None) != (pair.depth is None)
        assert pair.images[0].dtype == torch.uint8


def test_held_out_photographs_are_apart(data: DataConfig) -> None:
    source = TrainingPairs(data, size=1).sources[0]
    assert isinstance(source, HomographyPairs)
    trained = source.photographs.names
    assert trained
    assert not any(is_held_out(name) for name in trained)
    assert {is_held_out(path.name) for path in Path(data.photographs).iterdir()} == {True, False}


def test_errors() -> None:
    with pytest.raises(ValueError, match="weights"):
        DataConfig(homographies=0, worlds=0)
    with pytest.raises(ValueError, match="num_lines"):
        DataConfig(num_lines=())
