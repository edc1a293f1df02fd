import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import Result

from gluestick.cli import memory as memory_module
from gluestick.cli.memory import available_memory, fit_memory, parse_memory
from gluestick.features.extractor import FeatureExtractorConfig
from gluestick.features.points.registry import PointDetectorConfig
from gluestick.features.tiles import TileConfig
from gluestick.images import ResizeConfig
from gluestick.pipeline_config import PipelineConfig

WHOLE = FeatureExtractorConfig(resize=ResizeConfig(size=None))
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of 27 megapixels."""
    path = tmp_path_factory.mktemp("large") / "large.png"
    Image.new("1", (6000, 4500)).save(path)
    return path


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Callable[[float | None], None]:
    """Says how many bytes are free."""

    def say(number: float | None) -> None:
        monkeypatch.setattr(memory_module, "available_memory", lambda: number)

    return say


@pytest.mark.parametrize(
    ("text", "expected"),
    [("4GB", 4e9), ("800 mb", 8e8), ("2e9", 2e9), ("1.5G", 1.5e9), ("3GiB", 3e9), ("123", 123)],
)
def test_bytes_as_people_write_them(text: str, expected: float) -> None:
    assert parse_memory(text) == expected


@pytest.mark.parametrize("text", ["", "much", "-1GB", "0", "1..5GB", "nan", "1e999", "4 XB"])
def test_what_is_no_number_of_bytes(text: str) -> None:
    with pytest.raises(ValueError, match="--memory needs auto, none or bytes such as 4GB"):
        parse_memory(text)


def test_memory_is_known_or_not() -> None:
    available = available_memory()
    assert available is None or available > 0


def test_tiles_keep_what_a_budget_says(large: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = fit_memory(WHOLE, [large], memory="3GB", device=CPU)
    message = capsys.readouterr().err
    assert "6000 x 4500 px needs about 10.9 GB, and --memory is 3.0 GB: keypoints" in message
    assert message.count("\n") == 1
    assert found.tiles.size is None
    assert found.tiles.memory == 3e9 - 0.7e9 - 27e6 * 65
    tiles = found.tiles.within_memory((6000, 4500), bytes_per_pixel=310)
    assert f"tiles of {tiles.size} px" in message
    assert 310 * tiles.shown**2 <= found.tiles.memory < 310 * (tiles.shown + 32) ** 2
    assert fit_memory(WHOLE, [large], memory="none", device=CPU) is WHOLE
    hungry = replace(WHOLE, points=PointDetectorConfig(name="superpoint"))
    smaller = fit_memory(hungry, [large], memory="3GB", device=CPU).tiles
    own = smaller.within_memory((6000, 4500), bytes_per_pixel=1100)
    assert own.size is not None
    assert own.size < (tiles.size or 0)
    for one_by_one in (False, True):
        with pytest.raises(ValueError, match=r"--memory 2GB is too little: .* 2\.5 GB; give") as e:
            fit_memory(WHOLE, [large], memory="2GB", device=CPU, one_by_one=one_by_one)
        found = re.search(r"give at least ([\d.]+ GB)", str(e.value))
        assert found
        fit_memory(WHOLE, [large], memory=found[1], device=CPU, one_by_one=one_by_one)


def test_nothing_is_divided_that_fits(
    large: Path, free: Callable[[float | None], None], capsys: pytest.CaptureFixture[str]
) -> None:
    free(22e9)
    assert fit_memory(WHOLE, [large], memory=None, device=CPU) is WHOLE
    free(None)
    assert fit_memory(WHOLE, [large], memory="auto", device=CPU) is WHOLE
    free(1.9e9)
    resized = FeatureExtractorConfig()
    one = [large]
    free(4e9)
    assert fit_memory(resized, one, memory=None, device=CPU) is resized
    explicit = fit_memory(resized, one, memory="4GB", device=CPU)
    assert explicit.tiles.within_memory((1024, 768), bytes_per_pixel=300).size is None
    small = replace(WHOLE, tiles=TileConfig(size=1024))
    assert fit_memory(small, one, memory=None, device=CPU) is small
    assert fit_memory(WHOLE, [large / "none"], memory=None, device=CPU) is WHOLE
    assert capsys.readouterr().err == ""


def test_what_does_not_fit_is_divided_or_said(
    large: Path, free: Callable[[float | None], None], capsys: pytest.CaptureFixture[str]
) -> None:
    free(4e9)
    found = fit_memory(WHOLE, [large] * 2, memory=None, device=CPU)
    assert found.tiles.memory is not None
    assert "12.0 GB, and 4.0 GB are free: keypoints are found in tiles" in capsys.readouterr().err
    assert fit_memory(WHOLE, [large] * 2, memory=None, device=CPU, divisible=False) is WHOLE
    message = capsys.readouterr().err
    assert "warning: detecting in 6000 x 4500 px needs about 12.0 GB, and 4.0 GB" in message
    free(3e9)
    assert fit_memory(WHOLE, [large] * 2, memory=None, device=CPU) is WHOLE
    assert "warning: " in capsys.readouterr().err


def test_a_folder_is_divided_alike_whatever_its_images(large: Path, assets: Path) -> None:
    for images in ([large] * 9, [assets / "leuven_a.jpg"]):
        found = fit_memory(WHOLE, images, memory="5GB", device=CPU, one_by_one=True)
        assert found.tiles.memory == (5e9 - 0.7e9) / 2
    with pytest.raises(ValueError, match="--memory 3GB is too little"):
        fit_memory(WHOLE, [large], memory="3GB", device=CPU, one_by_one=True)


def matched_by(max_num_keypoints: int | None, **settings) -> PipelineConfig:
    points = PointDetectorConfig(max_num_keypoints=max_num_keypoints)
    return PipelineConfig(features=FeatureExtractorConfig(points=points), **settings)


def fit_pair(pipeline: PipelineConfig, image: Path, memory: str | None) -> FeatureExtractorConfig:
    images = [image, image]
    return fit_memory(pipeline.features, images, memory=memory, device=CPU, matched_by=pipeline)


def test_a_budget_is_refused_that_matching_would_exceed(
    large: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    many = matched_by(16384)
    with pytest.raises(
        ValueError, match=r"^--memory 4GB is too little: matching up to 16384 "
    ) as e:
        fit_pair(many, large, "4GB")
    assert "250 lines in each image needs up to" in str(e.value)
    assert str(e.value).endswith(" GB; use fewer --max-num-keypoints or --max-num-lines")
    assert "\n" not in str(e.value)
    fit_pair(replace(many, view="none"), large, "7GB")
    with pytest.raises(ValueError, match="--memory 7GB is too little: matching"):
        fit_pair(many, large, "7GB")
    fit_pair(many, large, "12GB")
    fit_pair(matched_by(1024), large, "4GB")
    fit_memory(many.features, [large], memory="4GB", device=CPU)
    assert fit_pair(many, large, "none") is many.features
    assert capsys.readouterr().err == ""


def test_matching_and_seeing_do_not_add_up(large: Path) -> None:
    """Each of them fits into the budget, and both together would not."""
    pipeline = matched_by(8192)
    pipeline = replace(pipeline, features=replace(pipeline.features, resize=WHOLE.resize))
    seen = fit_pair(pipeline, large, "5.5GB")
    assert seen.tiles.memory is not None
    with pytest.raises(ValueError, match=r"--memory 4\.6GB is too little: .* up to 4\.8 GB"):
        fit_pair(pipeline, large, "4.6GB")
    assert 4.8e9 + seen.tiles.memory > 5.5e9


def test_a_warning_where_less_is_free_than_matching_takes(
    large: Path, free: Callable[[float | None], None], capsys: pytest.CaptureFixture[str]
) -> None:
    many = matched_by(16384)
    free(5e9)
    assert fit_pair(many, large, None) is many.features
    message = capsys.readouterr().err
    assert message.startswith("gluestick: warning: matching up to 16384 keypoints and 250 lines ")
    assert message.endswith(
        ", and 5.0 GB are free: use fewer --max-num-keypoints or --max-num-lines\n"
    )
    free(20e9)
    fit_pair(many, large, "auto")
    free(None)
    fit_pair(many, large, "auto")
    assert capsys.readouterr().err == ""


def test_no_more_is_matched_than_the_pixels_allow(tmp_path: Path) -> None:
    path = tmp_path / "small.png"
    Image.new("1", (100, 100)).save(path)
    fit_pair(matched_by(16384), path, "4GB")
    own = FeatureExtractorConfig(points=PointDetectorConfig(max_num_keypoints=None))
    with pytest.raises(ValueError, match=r"matching up to 2223 keypoints and 250 lines"):
        fit_pair(PipelineConfig(features=own), path, "800MB")


def test_a_budget_reaches_every_command(
    invoke: Callable[..., Result], tmp_path: Path, assets: Path
) -> None:
    image = assets / "leuven_a.jpg"
    with Image.open(image) as opened:
        enlarged = opened.resize((1500, 1125))
    path = tmp_path / "images" / "enlarged.png"
    path.parent.mkdir()
    enlarged.save(path)
    enlarged.save(path.with_name("same.png"))
    own = ("--resize", "0", "--memory", "1GB", "--max-num-keypoints", "64")
    result = invoke("detect", path, *own, "--output", tmp_path / "detect", "--no-pictures")
    assert result.exit_code == 0, result.output
    assert "px needs about 1.4 GB, and --memory is 1.0 GB: keypoints are found in" in result.stderr
    with np.load(tmp_path / "detect" / "features.npz") as arrays:
        assert arrays["keypoints"].shape == (64, 2)
    for words in (("match", path, path), ("stitch", path, path), ("export", "hloc", path.parent)):
        result = invoke(*words, *own[:3], "much", "--output", tmp_path / "none")
        assert result.exit_code == 2
        assert "found 'much'" in result.stderr
    many = ("--max-num-keypoints", "16384", "--memory", "1GB")
    for words in (("match", path, path), ("stitch", path, path), ("export", "hloc", path.parent)):
        result = invoke(*words, *many, "--output", tmp_path / "none")
        assert result.exit_code == 2
        assert "--memory 1GB is too little: matching up to 16384" in result.stderr
    result = invoke(
        "match", path, path, *own, "--model", "sift+ratio", "--output", tmp_path / "none"
    )
    assert "--memory does not count what sift+ratio takes to match" in result.stderr
    assert "needs --memory in bytes" in invoke(*words, "--memory", "auto").stderr
