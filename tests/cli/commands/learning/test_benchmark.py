import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import Result

QUICK = ("--max-num-keypoints", "64", "--max-num-lines", "30")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory, photographs: Path) -> Path:
    """One scene whose two images are the same, in HPatches' layout."""
    scene = tmp_path_factory.mktemp("scenes") / "i_same"
    scene.mkdir()
    with Image.open(photographs / "a.jpg") as image:
        small = image.resize((188, 140))
    for name in "12":
        small.save(scene / f"{name}.png")
    np.savetxt(scene / "H_1_2", np.eye(3))
    return scene.parent


@pytest.fixture(scope="module")
def measured(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a model and a peer."""
    from typer.testing import CliRunner

    from gluestick.cli import app

    output = tmp_path_factory.mktemp("measured")
    arguments = ["benchmark", "homography", str(scenes), "short_side=140", "--output", str(output)]
    result = CliRunner().invoke(app, [*arguments, "--peers", "sift+ratio", *QUICK])
    assert result.exit_code == 0, result.output
    for word in ("points+lines AUC@1px", "aliked-lsd", "sift+ratio", "report.html"):
        assert word in result.output
    return output


def test_every_matcher_gets_its_files(measured: Path) -> None:
    for folder, model in ((measured, "aliked-lsd"), (measured / "sift+ratio", "sift+ratio")):
        assert (folder / "predictions.h5").exists()
        assert (folder / "results.h5").exists()
        summary = json.loads((folder / "summary.json").read_text())
        assert summary["model"] == model
        assert summary["num_pairs"] == 1
        assert summary["points"]["auc@5px"] > 0.9
        assert summary["configuration"]["max_num_keypoints"] == 64
    page = (measured / "report.html").read_text(encoding="utf-8")
    assert "sift+ratio" in page
    assert "i_same/2" in page


def test_a_second_run_predicts_nothing(
    invoke: Callable[..., Result], scenes: Path, measured: Path
) -> None:
    before = (measured / "predictions.h5").read_bytes()
    arguments = ("benchmark", "homography", scenes, "short_side=140", "--output", measured)
    result = invoke(*arguments, "--no-report", *QUICK)
    assert result.exit_code == 0, result.output
    assert (measured / "predictions.h5").read_bytes() == before


def test_scores_are_recomputed_without_a_model(
    invoke: Callable[..., Result],
    scenes: Path,
    measured: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copy(measured / "predictions.h5", tmp_path)
    monkeypatch.setattr("gluestick.catalog.load_matcher", None)
    arguments = ("benchmark", "homography", scenes, "short_side=140", "max_error=1.0")
    result = invoke(*arguments, "--output", tmp_path, "--score-only", "--no-report")
    assert result.exit_code == 0, result.output
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["configuration"]["settings"]["max_error"] == 1.0


def test_runs_are_compared(invoke: Callable[..., Result], measured: Path, tmp_path: Path) -> None:
    folders = (measured, measured / "sift+ratio")
    result = invoke("benchmark", "compare", *folders, "--output", tmp_path, "--num-samples", 5)
    assert result.exit_code == 0, result.output
    assert "points+lines AUC@5px" in result.output
    (content,) = json.loads((tmp_path / "compare.json").read_text())
    assert (content["first"], content["other"]) == ("aliked-lsd", "sift+ratio")
    assert (tmp_path / "compare.md").exists()


def test_everything_at_once_writes_the_page_of_results(
    invoke: Callable[..., Result], scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gluestick.benchmarks.run.suite.MAIN_BUDGET", 64)
    monkeypatch.setattr("gluestick.benchmarks.run.suite.OTHER_BUDGETS", (32,))
    shutil.copytree(scenes, tmp_path / "data" / "homography")
    page = tmp_path / "results.md"
    arguments = ("benchmark", "all", tmp_path / "data", "--model", "sift+ratio", "--write", page)
    result = invoke(*arguments, "--output", tmp_path / "files")
    assert result.exit_code == 0, result.output
    text = page.read_text(encoding="utf-8")
    for word in ("## Homography", "| sift+ratio, 64 |", "| sift+ratio, 32 |", "## Speed", "Quoted"):
        assert word in text
    assert re.search(r"HPatches.*39\.2", text, re.DOTALL)
    assert (tmp_path / "files" / "homography" / "64" / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("homography", "{nowhere}"), "nowhere"),
        (("synthetic", "{nowhere}"), "nowhere"),
        (("homography", "{scenes}", "--model", "unknown"), "unknown"),
        (("homography", "{scenes}", "--peers", "sift+ratio,unknown"), "unknown"),
        (("homography", "{scenes}", "short=3"), "short"),
        (("homography", "{scenes}", "--seed", "3"), "seed"),
        (("homography", "{scenes}", "--num-pairs", "0"), "num_pairs"),
        (("homography", "{scenes}", "--device", "tpu"), "tpu"),
        (("homography", "{scenes}", "--config", "{nowhere}"), "nowhere"),
        (("homography", "{scenes}", "--model", "sift+ratio", "--rotation", "auto"), "peer"),
        (("homography", "{scenes}", "--score-only"), "predictions.h5"),
        (("synthetic", "{scenes}", "max_turn=200"), "max_turn"),
        (("compare", "{nowhere}"), "at least two"),
        (("compare", "{nowhere}", "{nowhere}"), "nowhere"),
        (("all", "{nowhere}"), "nowhere"),
    ],
)
def test_bad_input_is_one_line(
    refused: Callable[..., str],
    scenes: Path,
    tmp_path: Path,
    arguments: tuple[str, ...],
    words: str,
) -> None:
    places = {"scenes": scenes, "nowhere": tmp_path / "nowhere"}
    name, *rest = (argument.format(**places) for argument in arguments)
    output = () if name == "compare" else ("--output", tmp_path / "output")
    assert words in refused("benchmark", name, *rest, *output)


def test_another_run_in_the_same_folder_is_refused(
    refused: Callable[..., str], scenes: Path, measured: Path
) -> None:
    arguments = ("benchmark", "homography", scenes, "short_side=140", "--output", measured)
    message = refused(*arguments, "--max-num-keypoints", "65", "--max-num-lines", "30")
    assert "max_num_keypoints was 64 and is now 65" in message


def test_damaged_predictions_are_one_line(
    refused: Callable[..., str], scenes: Path, tmp_path: Path
) -> None:
    (tmp_path / "predictions.h5").write_text("damaged")
    arguments = ("benchmark", "homography", scenes, "--output", tmp_path)
    assert "predictions.h5" in refused(*arguments, "--model", "sift+ratio")


@pytest.mark.parametrize("name", ["homography", "synthetic", "compare", "all"])
def test_help_has_an_example(invoke: Callable[..., Result], name: str) -> None:
    result = invoke("benchmark", name, "--help")
    assert result.exit_code == 0
    assert "Example: gluestick benchmark" in result.output
