from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import Result

from gluestick.features.extractor import FeatureExtractorConfig
from gluestick.features.lines.registry import LineDetectorConfig
from gluestick.features.points.registry import PointDetectorConfig
from gluestick.pipeline_config import PipelineConfig, TrainedModel
from gluestick.storage.parameters import save_checkpoint


@pytest.mark.parametrize("detector", ["aliked", "sift"])
def test_writes_features_and_a_picture(
    invoke: Callable[..., Result], photographs: Path, tmp_path: Path, detector: str
) -> None:
    result = invoke(
        "detect",
        photographs / "a.jpg",
        *("--output", tmp_path, "--detector", detector, "--max-num-keypoints", "100"),
    )
    assert result.exit_code == 0, result.output
    assert (tmp_path / "features.png").stat().st_size > 10_000
    with np.load(tmp_path / "features.npz") as arrays:
        assert arrays["keypoints"].shape == (100, 2)
        assert arrays["descriptors"].shape == (100, 128)
        np.testing.assert_allclose(np.linalg.norm(arrays["descriptors"], axis=1), 1, atol=1e-4)
        assert len(arrays["lines"]) == len(arrays["line_scores"]) > 20
        assert arrays["image_size"].tolist() == [375, 281]


def test_trained_weights_tell_how_to_detect(
    invoke: Callable[..., Result], photographs: Path, tmp_path: Path
) -> None:
    features = FeatureExtractorConfig(
        points=PointDetectorConfig(name="sift", max_num_keypoints=50),
        lines=LineDetectorConfig(name="none"),
    )
    trained = TrainedModel(config=PipelineConfig(features=features))
    weights = tmp_path / "best.safetensors"
    save_checkpoint(weights, {"x": torch.zeros(1)}, metadata=trained.metadata())
    arguments = ("detect", photographs / "a.jpg", "--no-pictures", "--output", tmp_path)
    result = invoke(*arguments, "--weights", weights)
    assert result.exit_code == 0, result.output
    with np.load(tmp_path / "features.npz") as arrays:
        assert arrays["keypoints"].shape == (50, 2)
        assert len(arrays["lines"]) == 0
    save_checkpoint(weights, {"x": torch.zeros(1)})
    assert invoke(*arguments, "--weights", weights).exit_code == 2


def test_tiles_keep_the_size_of_the_image(
    invoke: Callable[..., Result], photographs: Path, tmp_path: Path
) -> None:
    image = photographs / "a.jpg"
    found = {}
    for name, arguments in (
        ("whole", ("--resize", "0")),
        ("tiles", ("--tiles", "128")),
        ("small", ("--tiles", "128", "--resize", "160")),
    ):
        result = invoke(
            *("detect", image, "--output", tmp_path / name),
            *("--max-num-keypoints", "100", *arguments),
        )
        assert result.exit_code == 0, result.output
        with np.load(tmp_path / name / "features.npz") as arrays:
            found[name] = dict(arrays)
    assert np.array_equal(found["tiles"]["lines"], found["whole"]["lines"])
    assert len(found["small"]["lines"]) < len(found["whole"]["lines"])
    away = found["tiles"]["keypoints"][:, None] - found["whole"]["keypoints"]
    assert (np.linalg.norm(away, axis=2).min(axis=1) < 1).mean() > 0.6


def test_a_blank_image_has_no_features(
    invoke: Callable[..., Result], photographs: Path, tmp_path: Path
) -> None:
    result = invoke("detect", photographs / "blank.png", "--output", tmp_path)
    assert result.exit_code == 0, result.output
    with np.load(tmp_path / "features.npz") as arrays:
        assert arrays["keypoints"].shape == (0, 2)
        assert arrays["lines"].shape == (0, 2, 2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--detector", "orb"), "orb"),
        (("--detector", "superpoint"), "needs a file of weights"),
        (("--detector", "sift", "--detector-weights", "a.pth"), "no option weights"),
        (("--line-detector", "hough"), "hough"),
        (("resize.side=middle",), "middle"),
        (("--tiles", "100"), "multiple of 32"),
    ],
)
def test_bad_options_are_one_line(
    refused: Callable[..., str], photographs: Path, arguments: tuple[str, ...], words: str
) -> None:
    assert words in refused("detect", photographs / "a.jpg", *arguments)
