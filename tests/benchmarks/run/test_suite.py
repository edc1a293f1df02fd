from dataclasses import replace
from pathlib import Path

import pytest
from made_runs import make_run

from gluestick.benchmarks.report.results_page import results_page
from gluestick.benchmarks.run.suite import Job, Outcome, find_jobs, models_by_budget


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
    ]
    assert jobs[-2].settings == {"holdout": True}
    assert jobs[-1].settings == {"holdout": True, "max_turn": 180.0}
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


def test_the_page_has_every_run_and_what_was_published(tmp_path: Path) -> None:
    runs = {
        number: [
            make_run(tmp_path / f"{model}{number}", model=model, error=error)
            for model, error in (("ours", 1.0), ("theirs", 2.0))
        ]
        for number in (1024, 512)
    }
    job = Job(name="homography", benchmark="homography", data_dir=Path("/nowhere"))
    outcome = Outcome(job=job, headline=("points/auc@5px", "lines/ap"), runs=runs)
    page = results_page([outcome], command="gluestick benchmark all data")
    assert page.startswith("# Results\n")
    assert "`gluestick benchmark all data`" in page
    for row in ("| ours, 1024 |", "| theirs, 1024 |", "| ours, 512 |", "| theirs, 512 |"):
        assert page.count(row) == 2  # once overall, once for the extreme viewpoints
    assert "Apart from these, 4 pairs with change extreme viewpoint" in page
    assert "8 pairs" in page
    for quoted in ("Quoted", "MegaDepth-1500", "ETH3D", "77.92", "cvg/glue-factory"):
        assert quoted in page
