from pathlib import Path

import torch

from gluestick.benchmarks.report.results_page import write_results_page
from gluestick.benchmarks.run.speed import Speed
from gluestick.benchmarks.run.suite import ANY_TURN, Job, run_job, run_speed
from gluestick.catalog import load_matcher
from gluestick.matching.protocols import Matcher

NAMES = ("sift+ratio", "lbd")
SETTINGS = {"max_turn": 180.0, "width": 160, "height": 120}


def load(name: str, max_num_keypoints: int, max_num_lines: int) -> Matcher:
    return load_matcher(name, max_num_keypoints=max_num_keypoints, max_num_lines=max_num_lines)


def test_turned_pairs_are_shown_as_tables_and_plots(assets: Path, tmp_path: Path) -> None:
    job = Job(
        name=ANY_TURN,
        benchmark="synthetic",
        data_dir=assets,
        settings=SETTINGS,
        num_keypoints=100,
    )
    outcome = run_job(job, tmp_path / "files", {100: NAMES}, load)
    speed = Speed(num_pairs=1, seconds={"sift+ratio": {"keypoints": 0.1}}, device="cpu", threads=1)
    page = tmp_path / "docs" / "results.md"
    written = write_results_page(page, [outcome], speed=speed, command="gluestick benchmark all")
    text = page.read_text(encoding="utf-8")
    assert "## Any turn" in text
    assert text.count("By rotation (number of pairs):") == 5
    assert "## Speed" in text
    plots = [path for path in written if path != page]
    assert len(plots) == 5
    for plot in plots:
        assert plot.read_text(encoding="utf-8").startswith("<svg")
        assert f"(images/{plot.name})" in text


def test_speed_of_some_pairs(assets: Path) -> None:
    job = Job(name="synthetic", benchmark="synthetic", data_dir=assets, settings=SETTINGS)
    speed = run_speed(job, NAMES, load, device=torch.device("cpu"))
    assert list(speed.seconds) == list(NAMES)
    assert all(speed.total(name) > 0 for name in NAMES)
