from dataclasses import replace
from pathlib import Path

import pytest
import torch
from counting_matcher import CountingMatcher
from torch import Tensor

from gluestick.benchmarks.run.suite import (
    Job,
    find_jobs,
    models_by_budget,
    run_job,
    run_speed,
)
from gluestick.timing import StageTimer
from gluestick.types import Matches, Wireframe


def test_jobs_are_found_where_there_is_data(tmp_path: Path) -> None:
    for name in ("homography", "pose/b", "pose/a", "depth/room", "train", "other"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "pose" / "README.md").write_text("not a scene")
    jobs = find_jobs(tmp_path)
    assert [(job.name, job.benchmark) for job in jobs] == [
        ("homography", "homography"),
        ("pose_a", "pose"),
        ("pose_b", "pose"),
        ("depth_room", "lines3d"),
        ("synthetic", "synthetic"),
        ("any_turn", "synthetic"),
        ("zoom", "synthetic"),
        ("tilt", "synthetic"),
    ]
    assert jobs[-4].settings == {"holdout": True}
    assert jobs[-3].settings == {"holdout": True, "max_turn": 180.0}
    assert jobs[-2].settings["change"] == "zoom"
    assert jobs[-1].settings["pairs_per_photograph"] == 7
    with pytest.raises(ValueError, match="found none"):
        find_jobs(tmp_path / "other")


def test_the_model_and_its_closest_peer_get_all_budgets() -> None:
    peers = ["sift+ratio", "aliked+lightglue", "aliked-lsd"]
    job = Job(name="homography", benchmark="homography", data_dir=Path("/nowhere"))
    everything = ["aliked-lsd", "sift+ratio", "aliked+lightglue"]
    assert models_by_budget(job, "aliked-lsd", peers) == {
        1024: everything,
        512: ["aliked-lsd", "aliked+lightglue"],
        2048: ["aliked-lsd", "aliked+lightglue"],
    }
    job = replace(job, num_keypoints=300)
    assert models_by_budget(job, "aliked-lsd", peers) == {300: everything}


class Scripted:
    """A matcher that takes a second more for each keypoint and each line it may find."""

    def __init__(self, seconds: float) -> None:
        self.matcher = CountingMatcher()
        self.seconds, self.device = seconds, torch.device("cpu")

    def __call__(
        self, image0: Tensor, image1: Tensor, *, timer: StageTimer
    ) -> tuple[Wireframe, Wireframe, Matches]:
        timer.seconds["matching"] = self.seconds
        return self.matcher(image0, image1, timer=StageTimer())


def load(name: str, max_num_keypoints: int, max_num_lines: int) -> Scripted:
    return Scripted(len(name) + max_num_keypoints / 1000 + max_num_lines)


@pytest.fixture
def job(photographs: Path) -> Job:
    return Job(
        name="synthetic",
        benchmark="synthetic",
        data_dir=photographs,
        settings={"width": 160, "height": 120, "pairs_per_photograph": 1},
    )


def test_a_job_runs_every_matcher_with_its_budgets(job: Job, tmp_path: Path) -> None:
    outcome = run_job(job, tmp_path, {1024: ["a", "bc"], 512: ["a"]}, load, num_pairs=2)
    assert outcome.job is job
    assert outcome.benchmark.config.width == 160
    assert [pair.name for pair in outcome.pairs] == ["a.jpg#0", "more/0016.jpg#0"]
    runs = {number: [run.model for run in own] for number, own in outcome.runs.items()}
    assert runs == {1024: ["a", "bc"], 512: ["a"]}
    for number, own in outcome.runs.items():
        for run in own:
            assert run.folder == tmp_path / "synthetic" / str(number) / run.model
            assert run.results.configuration["max_num_keypoints"] == number
            assert run.results.configuration["max_num_lines"] == 250
            assert run.summary["num_pairs"] == 2
            seconds = run.summary["seconds"]
            assert set(seconds) == {"matching", "estimation"}
            assert seconds["matching"] == len(run.model) + number / 1000 + 250
    files = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {"predictions.h5", "results.h5", "summary.json"}


def test_speed_is_that_of_the_main_budget(job: Job) -> None:
    speed = run_speed(job, ["abc", "a"], load)
    assert speed.num_pairs == 3
    assert speed.seconds == {"abc": {"matching": 254.024}, "a": {"matching": 252.024}}
    assert speed.device == "cpu"
