from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from counting_matcher import CountingMatcher
from PIL import Image

from gluestick.benchmarks.tasks.planar.homography import (
    HomographyBenchmark,
    HomographyBenchmarkConfig,
)

SIZE = (240, 180)
H_0TO1 = np.array([[0.95, -0.08, 12.0], [0.06, 0.97, -5.0], [1e-4, -5e-5, 1.0]])


@pytest.fixture
def matcher() -> CountingMatcher:
    return CountingMatcher()


def photograph(assets: Path) -> np.ndarray:
    with Image.open(assets / "graffiti_a.jpg") as image:
        return np.asarray(image.convert("RGB").resize(SIZE, Image.Resampling.LANCZOS))


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory, assets: Path) -> Path:
    """Three scenes in HPatches' layout: two pairs, one pair, and one extreme pair."""
    root = tmp_path_factory.mktemp("scenes")
    image = photograph(assets)
    for scene, number in (("v_wall", 2), ("i_wall", 1), ("v_evd_wall", 1)):
        folder = root / scene
        folder.mkdir()
        Image.fromarray(image).save(folder / "1.png")
        for k in range(2, number + 2):
            H = H_0TO1 if scene.startswith("v_") else np.eye(3)
            warped = cv2.warpPerspective(image, H, SIZE)
            Image.fromarray(warped // (1 if scene.startswith("v_") else 2)).save(
                folder / f"{k}.png"
            )
            np.savetxt(folder / f"H_1_{k}", H)
    (root / "notes").mkdir()
    return root


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory, assets: Path) -> Path:
    """Three photographs, one of them in a folder; 0016.jpg is held out."""
    root = tmp_path_factory.mktemp("photographs")
    (root / "more").mkdir()
    image = photograph(assets)
    for name, pixels in (("a.jpg", image), ("b.jpg", image[:, ::-1]), ("more/0016.jpg", image)):
        Image.fromarray(np.ascontiguousarray(pixels)).save(root / name, quality=95)
    return root


@pytest.fixture(scope="session")
def benchmark_of_scenes(scenes: Path) -> HomographyBenchmark:
    return HomographyBenchmark(scenes, HomographyBenchmarkConfig(short_side=120))


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)
