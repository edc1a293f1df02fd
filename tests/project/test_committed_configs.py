"""Every committed configuration is run, on as little as shows that it works."""

import json
import re
from collections.abc import Callable
from itertools import count
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from posed_scenes import CAMERA, POSE, SIZE, STILL, pair_line
from safetensors.torch import load_file, save_file
from training.photographs import write_photographs
from typer.testing import CliRunner

from gluestick.benchmarks.run.summary import figure
from gluestick.benchmarks.tasks.registry import benchmark_card
from gluestick.cli import app
from gluestick.config import load_config, load_match_config
from gluestick.datasets.holdout import is_held_out
from gluestick.datasets.photograph_pool import PhotographPool
from gluestick.datasets.worlds import PlanarWorlds, PlanarWorldsConfig
from gluestick.datasets.worlds.scene_folder import write_worlds
from gluestick.export import read_matches_npz
from gluestick.features.points.disk import Disk
from gluestick.features.points.superpoint import SuperPoint
from gluestick.matching.gluestick import GlueStick
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.pipeline import PointLineMatcher
from gluestick.pipeline_config import TrainedModel
from gluestick.pretrained import MODELS

CONFIGS = Path(__file__).parents[2] / "configs"
MATCH = sorted((CONFIGS / "match").glob("*.yaml"))
BENCHMARK = sorted((CONFIGS / "benchmark").glob("*.yaml"))
TRAIN = sorted((CONFIGS / "train").glob("*.yaml"))
FAST_MODEL_KEYPOINTS = ("--max-num-keypoints", "512")
"""Of fewer keypoints of XFeat too few are found again."""
QUICK = ("--max-num-keypoints", "128", "--max-num-lines", "40")
HELD_OUT = "0016.jpg"
WALL = 4.0
"""The distance of a wall from camera 0, m."""


def run(*arguments: str | Path) -> None:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output


def photograph(assets: Path, size: tuple[int, int] = SIZE) -> np.ndarray:
    with Image.open(assets / "graffiti_a.jpg") as image:
        return np.asarray(image.convert("RGB").resize(size, Image.Resampling.LANCZOS))


def make_photographs(folder: Path, assets: Path) -> None:
    """Write a photograph that is held out, and another one."""
    for name in (HELD_OUT, "a.jpg"):
        Image.fromarray(photograph(assets, (320, 240))).save(folder / name, quality=95)


def make_scenes(folder: Path, assets: Path) -> None:
    """Write a scene whose two images are the same, in HPatches' layout."""
    scene = folder / "i_same"
    scene.mkdir()
    for name in "12":
        Image.fromarray(photograph(assets)).save(scene / f"{name}.png")
    np.savetxt(scene / "H_1_2", np.eye(3))


def make_wall(folder: Path, assets: Path) -> None:
    """Write two views of a painted wall, their depth and their poses."""
    image = photograph(assets)
    normal = np.array([0.0, 0.0, 1.0])
    H = CAMERA.K @ (POSE.R + np.outer(POSE.t, normal) / WALL) @ np.linalg.inv(CAMERA.K)
    views = image, cv2.warpPerspective(image, H, SIZE)
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    rays = np.stack([x, y, np.ones_like(x)], axis=-1) @ np.linalg.inv(CAMERA.K).T
    for name in ("images", "depths"):
        (folder / name).mkdir()
    for side, (view, pose) in enumerate(zip(views, (STILL, POSE), strict=True)):
        turned = pose.R @ normal
        depth = (WALL + turned @ pose.t) / (rays @ turned)
        Image.fromarray(view).save(folder / "images" / f"{side}.png")
        millimetres = np.round(1000 * depth).astype(np.uint16)
        cv2.imwrite(str(folder / "depths" / f"{side}.png"), millimetres)
    (folder / "pairs_with_gt.txt").write_text(pair_line("0.png", "1.png"))


DATA: dict[str, Callable[[Path, Path], None]] = {
    "synthetic": make_photographs,
    "homography": make_scenes,
    "lines3d": make_wall,
    "pose": make_wall,
}

LEAST = {
    "synthetic": ("points/num_matches", 10),
    "homography": ("points/auc@3px", 0.9),
    "lines3d": ("points/ap@3px", 0.9),
    "pose": ("poselib/auc@20", 0.7),
}
"""A figure of each benchmark, and what it exceeds on this data."""


def published_files(folder: Path) -> tuple[str | Path, ...]:
    """Write random weights for the models that ship none, and return the options for them."""
    network = GlueStick(MODELS["superpoint-lsd-gluestick"].config.gluestick)
    save_file(network.state_dict(), folder / "network.safetensors")
    torch.save(SuperPoint().network.state_dict(), folder / "detector.pth")
    return (
        "--weights",
        folder / "network.safetensors",
        "--detector-weights",
        folder / "detector.pth",
    )


def test_every_folder_of_configurations_is_run() -> None:
    assert {path.parent.name for path in CONFIGS.rglob("*.yaml")} == {"match", "benchmark", "train"}
    assert {*CONFIGS.rglob("*.yaml")} == {*MATCH, *BENCHMARK, *TRAIN}


@pytest.mark.parametrize("path", MATCH, ids=lambda path: path.stem)
def test_pairs_are_matched(path: Path, assets: Path, tmp_path: Path) -> None:
    config = load_match_config(path)
    assert config != load_match_config(None)
    images = [tmp_path / f"{letter}.jpg" for letter in "ab"]
    for image in images:
        with Image.open(assets / f"leuven_{image.name}") as opened:
            opened.resize((375, 281)).save(image, quality=95)
    shipped = MODELS[config.model].shipped
    files = () if shipped else published_files(tmp_path)
    budget = (*QUICK, *FAST_MODEL_KEYPOINTS) if config.model == "xfeat-lsd" else QUICK
    run("match", *images, "--config", path, "--output", tmp_path / "output", *budget, *files)
    arrays = read_matches_npz(tmp_path / "output" / "matches.npz")
    assert arrays["keypoints0"].shape == (len(arrays["matches0"]), 2)
    assert len(arrays["lines0"]) == len(arrays["line_matches0"]) > 0
    if shipped:  # random weights match nothing in particular
        assert (arrays["matches0"] > -1).sum() > 20
        assert (arrays["line_matches0"] > -1).sum() > 3
        assert arrays["point_inliers"].mean() > 0.5


@pytest.mark.parametrize("path", BENCHMARK, ids=lambda path: path.stem)
def test_benchmarks_are_run(path: Path, assets: Path, tmp_path: Path) -> None:
    found = re.search(r"gluestick benchmark (\w+) .*--config THIS", path.read_text("utf-8"))
    assert found, f"{path} needs a comment that names its benchmark"
    card = benchmark_card(found[1])
    config = load_config(path, defaults=card.config())
    assert config != card.config()
    data, output = tmp_path / "data", tmp_path / "output"
    data.mkdir()
    DATA[card.name](data, assets)
    for pair in card.build(data, config).pairs():
        assert card.name != "synthetic" or pair.name.startswith(HELD_OUT)
    arguments = ("--model", "endpoint-descriptors+mutual-nn", "--num-pairs", "1", "--no-report")
    run("benchmark", card.name, data, "--config", path, "--output", output, *QUICK, *arguments)
    summary = json.loads((output / "summary.json").read_text("utf-8"))
    assert summary["num_pairs"] == 1
    settings = summary["configuration"]["settings"]
    assert settings.items() >= yaml.safe_load(path.read_text("utf-8")).items()
    name, least = LEAST[card.name]
    assert figure(summary, name) > least


def least_training(path: Path, folder: Path) -> dict[str, object]:
    """Return the settings with which a preset trains on as little as it can."""
    kinds = ("homography", "world")
    sizes = (("width", 128), ("height", 96))
    settings: dict[str, object] = {
        "data.photographs": write_photographs(folder / "photographs"),
        **{f"data.{kind}.{axis}": size for kind in kinds for axis, size in sizes},
        "data.num_keypoints": "[32,48]",
        "data.num_lines": "[10]",
        **{f"extraction.{name}": 2 for name in ("batch_size", "num_pairs", "num_held_out")},
        "extraction.num_workers": 0,
        "cache": folder / "cache",
        "output": folder / "output",
        "loop.steps": 2,
        "loop.accelerator": "cpu",
    }
    values = yaml.safe_load(path.read_text("utf-8"))
    for name in values.get("data", {}).get("folder_weights", {}):
        write_photographs(folder / "photographs" / name, number=1)
    if values.get("data", {}).get("posed"):
        settings["data.posed_folder"] = write_posed_scene(folder / "posed", settings)
    if values.get("model") == "disk-lsd":
        torch.save(Disk().network.state_dict(), folder / "disk.pth")
        network = LightGlueStick(MODELS["disk-lsd"].config.lightgluestick)
        save_file(network.state_dict(), folder / "network.safetensors")
        settings["detector_weights"] = folder / "disk.pth"
        settings["weights"] = folder / "network.safetensors"
    return settings


def write_posed_scene(folder: Path, settings: dict[str, object]) -> Path:
    """Write four pairs of planar worlds, of which one is held out."""
    pool = PhotographPool.in_folder(Path(str(settings["data.photographs"])))
    config = PlanarWorldsConfig(width=128, height=96, supersampling=1)
    held_out = next(number for number in count() if is_held_out(f"{number:06d}_0.png"))
    write_worlds(folder, PlanarWorlds(pool, config), [0, 1, held_out])
    return folder


@pytest.mark.parametrize("path", TRAIN, ids=lambda path: path.stem)
def test_a_little_is_trained(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("lightning_fabric")
    settings = least_training(path, tmp_path)
    run("train", path, *(f"{name}={value}" for name, value in settings.items()))
    weights = tmp_path / "output" / "best.safetensors"
    assert all(value.isfinite().all() for value in load_file(weights).values())
    record = json.loads((tmp_path / "output" / "run.json").read_text())
    assert record["config"]["task"] == yaml.safe_load(path.read_text("utf-8"))["task"]
    assert record["environment"]["torch"]
    trained = TrainedModel.of_file(weights)
    assert trained is not None
    matcher = PointLineMatcher.from_pretrained(weights=weights)
    assert type(matcher.network).__name__.lower() == trained.config.network
    state = matcher.network.state_dict()
    for name, value in load_file(weights).items():
        assert torch.equal(state[name], value.to(state[name].dtype)), name
