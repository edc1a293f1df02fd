import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from dying_steps import DyingSteps
from PIL import Image

from gluestick.export import export_hloc_folder
from gluestick.export.features_h5 import FeaturesReader
from gluestick.export.matches_h5 import MatchesReader
from gluestick.export.workers.cluster import RayWorkers
from gluestick.export.workers.local import LocalWorkers
from gluestick.export.workers.protocol import Workers
from gluestick.export.workers.steps import Failure, FolderSteps
from gluestick.pipeline import PointLineMatcher

ray = pytest.importorskip("ray", reason="Ray is missing: install the extra ray")

NAMES = ("a.png", "b.png", "c.png")
PAIRS = [("a.png", "b.png"), ("a.png", "c.png"), ("c.png", "b.png")]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory, assets: Path) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    for name, source in zip(NAMES, ("leuven_a", "leuven_b", "graffiti_a"), strict=True):
        with Image.open(assets / f"{source}.jpg") as image:
            image.resize((300, 225)).save(folder / name)
    (folder / "bad.png").write_text("not an image")
    return folder


@pytest.fixture(scope="module")
def workers() -> Iterator[RayWorkers]:
    path = [str(Path(__file__).parents[2] / "support"), *filter(None, sys.path)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", ":".join(path))
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        yield RayWorkers(num_workers=2)
        ray.shutdown()


def test_the_same_files(
    small_matcher: PointLineMatcher, photographs: Path, tmp_path: Path, workers: RayWorkers
) -> None:
    kinds: dict[str, Workers] = {"local": LocalWorkers(), "ray": workers}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    written = {
        kind: export_hloc_folder(
            small_matcher,
            photographs,
            [*PAIRS, ("a.png", "bad.png")],
            tmp_path / kind,
            model="small",
            workers=own,
        )
        for kind, own in kinds.items()
    }
    torch.set_num_threads(threads)
    assert list(written["ray"].skipped.images) == list(written["local"].skipped.images)
    assert "bad.png" in written["ray"].skipped.images
    readers = [
        (FeaturesReader(own.features), MatchesReader(own.matches)) for own in written.values()
    ]
    (features0, matches0), (features1, matches1) = readers
    with features0, matches0, features1, matches1:
        assert features0.names() == features1.names() == list(NAMES)
        for name in NAMES:
            np.testing.assert_equal(features0.read(name), features1.read(name))
            assert features0.origin(name) == features1.origin(name)
        for pair in PAIRS:
            np.testing.assert_equal(matches0.read(*pair), matches1.read(*pair))
            assert matches0.origin(*pair) == matches1.origin(*pair)


def test_what_a_dead_process_did_is_done_again(
    small_matcher: PointLineMatcher, photographs: Path, tmp_path: Path, workers: RayWorkers
) -> None:
    steps = DyingSteps(small_matcher, photographs, mark=tmp_path / "died")
    found = list(workers.extract(steps, [(name, 0.0) for name in (*NAMES, "bad.png")]))
    assert (tmp_path / "died").exists()
    assert isinstance(found[-1], Failure)
    expected = list(
        LocalWorkers().extract(FolderSteps(small_matcher, photographs), [("c.png", 0.0)])
    )
    assert isinstance(found[2], dict)
    assert isinstance(expected[0], dict)
    np.testing.assert_allclose(found[2]["keypoints"], expected[0]["keypoints"], atol=1e-3)


def test_a_task_that_always_dies_is_one_line(
    small_matcher: PointLineMatcher,
    photographs: Path,
    tmp_path: Path,
    workers: RayWorkers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gluestick.export.workers.cluster._MAX_RETRIES", 0)
    steps = DyingSteps(small_matcher, photographs, mark=tmp_path / "died", always=True)
    with pytest.raises(OSError, match="Ray cluster could not"):
        list(workers.extract(steps, [("a.png", 0.0)]))


def test_no_cluster_is_one_line() -> None:
    with pytest.raises(ValueError, match="no Ray cluster"):
        RayWorkers("127.0.0.1:1")
