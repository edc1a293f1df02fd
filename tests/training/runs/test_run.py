from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from training.photographs import write_photographs

pytest.importorskip("lightning_fabric")

from gluestick.datasets.homography_pairs import HomographyPairsConfig
from gluestick.training.config import TrainConfig
from gluestick.training.examples.extraction_config import ExtractionConfig
from gluestick.training.examples.pairs import DataConfig
from gluestick.training.loop import LoopConfig
from gluestick.training.runs.run import train


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    folder = tmp_path_factory.mktemp("training")
    return TrainConfig(
        cache=str(folder / "cache"),
        output=str(folder / "output"),
        data=DataConfig(
            photographs=str(write_photographs(folder / "photographs")),
            worlds=0.0,
            homography=HomographyPairsConfig(width=128, height=96),
            num_keypoints=(48,),
            num_lines=(10,),
        ),
        extraction=ExtractionConfig(batch_size=2, num_pairs=4, num_held_out=2),
        loop=LoopConfig(steps=6, validate_every=3, save_every=2, accelerator="cpu"),
    )


def quiet(text: str) -> None:
    """Show nothing."""


def last(config: TrainConfig) -> dict[str, torch.Tensor]:
    return load_file(Path(config.output) / "last.safetensors")


def test_a_run_that_goes_on_ends_in_the_same_weights(config: TrainConfig, tmp_path: Path) -> None:
    assert train(config, say=quiet)
    first = replace(
        config, output=str(tmp_path / "parts"), loop=replace(config.loop, max_seconds=1e-9)
    )
    assert not train(first, say=quiet)
    second = replace(first, resume=True, loop=config.loop)
    assert train(second, say=quiet)
    for name, value in last(config).items():
        assert torch.equal(last(second)[name], value), name


def test_other_options_need_another_cache(config: TrainConfig) -> None:
    train(replace(config, loop=replace(config.loop, steps=1)), say=quiet)
    with pytest.raises(ValueError, match="other options"):
        train(replace(config, data=replace(config.data, seed=1)), say=quiet)


def test_a_cache_is_needed(config: TrainConfig) -> None:
    with pytest.raises(ValueError, match="cache=FOLDER"):
        train(replace(config, cache=""), say=quiet)


def test_weights_to_start_from_have_to_fit(config: TrainConfig, tmp_path: Path) -> None:
    save_file({"other": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="none of the parameters"):
        train(replace(config, init=str(tmp_path / "other.safetensors")), say=quiet)
