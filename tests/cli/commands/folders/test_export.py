import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import Result

from gluestick.cli.commands.folders.export import _report
from gluestick.export import FeaturesWriter, HlocFolder, read_features_h5, read_matches_h5
from gluestick.export.folder_images import Skipped

QUICK = ("--max-num-keypoints", "128", "--max-num-lines", "40")


def test_writes_hloc_files_and_resumes(
    invoke: Callable[..., Result], photographs: Path, tmp_path: Path
) -> None:
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("a.jpg b.jpg\n")
    arguments = ("export", "hloc", photographs, "--output", tmp_path, *QUICK)
    first = invoke(*arguments, "--pairs", pairs)
    assert first.exit_code == 0, first.output
    assert "1 pairs, 1 of them new" in first.output
    features = [read_features_h5(tmp_path / "features.h5", name) for name in ("a.jpg", "b.jpg")]
    matches = read_matches_h5(tmp_path / "matches.h5", "a.jpg", "b.jpg")
    assert len(matches["matches0"]) == len(features[0]["keypoints"])
    assert matches["matches0"].max() < len(features[1]["keypoints"])
    assert (matches["matches0"] > -1).sum() > 20

    every_pair = invoke(*arguments)
    assert every_pair.exit_code == 0, every_pair.output
    assert "3 pairs, 2 of them new" in every_pair.output
    again = read_matches_h5(tmp_path / "matches.h5", "a.jpg", "b.jpg")
    np.testing.assert_array_equal(again["matches0"], matches["matches0"])
    blank = read_matches_h5(tmp_path / "matches.h5", "a.jpg", "blank.png")
    assert not (blank["matches0"] > -1).any()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("hloc", "nowhere"), "nowhere"),
        (("hloc", ".", "--pairs", "nowhere.txt"), "nowhere.txt"),
    ],
)
def test_bad_input_is_one_line(
    refused: Callable[..., str], tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    assert words in refused("export", *arguments, "--output", tmp_path)


def test_a_matcher_without_features_of_single_images_is_refused(
    refused: Callable[..., str],
    photographs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vismatch = ModuleType("vismatch")
    vismatch.available_models = ["loftr"]
    vismatch.get_matcher = lambda *_, **__: torch.nn.Identity()
    monkeypatch.setitem(sys.modules, "vismatch", vismatch)
    output = tmp_path / "export"
    line = refused("export", "hloc", photographs, "--model", "vismatch:loftr", "--output", output)
    assert "vismatch:loftr takes both images of a pair at once" in line
    assert not output.exists()


def test_pairs_need_two_names(
    refused: Callable[..., str], photographs: Path, tmp_path: Path
) -> None:
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("a.jpg b.jpg\na.jpg\n")
    assert "line 2" in refused("export", "hloc", photographs, "--pairs", pairs)


def test_a_damaged_file_is_refused_and_kept(
    refused: Callable[..., str], photographs: Path, tmp_path: Path
) -> None:
    path = tmp_path / "features.h5"
    path.write_bytes(b"not HDF5")
    assert "features.h5" in refused("export", "hloc", photographs, "--output", tmp_path)
    assert path.read_bytes() == b"not HDF5"


def test_a_second_writer_is_told_so_in_one_line(
    refused: Callable[..., str], photographs: Path, tmp_path: Path
) -> None:
    with FeaturesWriter(tmp_path / "features.h5"):
        message = refused("export", "hloc", photographs, "--output", tmp_path, *QUICK)
    assert "features.h5 is being written by process" in message
    assert list(tmp_path.iterdir()) == []


def test_another_budget_is_refused_in_one_line(
    invoke: Callable[..., Result], refused: Callable[..., str], photographs: Path, tmp_path: Path
) -> None:
    arguments = ("export", "hloc", photographs, "--output", tmp_path)
    assert invoke(*arguments, *QUICK).exit_code == 0
    before = (tmp_path / "features.h5").read_bytes()
    line = refused(*arguments, "--max-num-keypoints", "64", "--max-num-lines", "40")
    assert "points.max_num_keypoints was 128 and is now 64" in line
    assert (tmp_path / "features.h5").read_bytes() == before


@pytest.mark.parametrize("rotation", ["auto", "exhaustive"])
def test_turned_photographs_are_set_upright(
    invoke: Callable[..., Result], photographs: Path, tmp_path: Path, rotation: str
) -> None:
    folder = tmp_path / "photographs"
    folder.mkdir()
    shutil.copy(photographs / "a.jpg", folder)
    with Image.open(photographs / "b.jpg") as image:
        image.save(folder / "b.png")
        image.transpose(Image.Transpose.ROTATE_270).save(folder / "turned.png")
    arguments = ("export", "hloc", folder, "--output", tmp_path, *QUICK, "--rotation", rotation)
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    upright, turned = (
        read_matches_h5(tmp_path / "matches.h5", "a.jpg", name) for name in ("b.png", "turned.png")
    )
    for key in ("matches0", "line_matches0"):
        assert (upright[key] > -1).sum() == (turned[key] > -1).sum() > 0


def test_bad_files_are_named_skipped_and_counted(
    invoke: Callable[..., Result], refused: Callable[..., str], photographs: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "photographs"
    shutil.copytree(photographs, folder)
    (folder / "bad.PNG").write_bytes(b"nothing")
    pairs = tmp_path / "pairs.txt"
    pairs.write_bytes(b"\xef\xbb\xbf# list\r\na.jpg\tb.jpg\r\nb.jpg a.jpg\r\nno such.jpg a.jpg\r\n")
    arguments = ("export", "hloc", folder, *QUICK)
    every = invoke(*arguments, "--output", tmp_path / "every")
    assert every.exit_code == 0, every.output
    assert "bad.PNG is not an image" in every.stderr
    assert "3 pairs, 3 of them new; skipped: 1 images, 3 pairs" in every.stdout
    listed = invoke(*arguments, "--pairs", pairs, "--output", tmp_path / "listed")
    assert listed.exit_code == 0, listed.output
    assert f"there is no image no such.jpg in {folder}" in listed.stderr
    assert "1 pairs, 1 of them new; skipped: 1 images, 1 pairs" in listed.stdout
    for options, name in (((), "bad.PNG"), (("--pairs", pairs), "no such.jpg")):
        line = refused(*arguments, *options, "--strict", "--output", tmp_path / "strict")
        assert name in line


def test_new_views_are_counted_apart_from_new_pairs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    written = HlocFolder(
        features=tmp_path / "features.h5",
        matches=tmp_path / "matches.h5",
        num_images=4,
        num_pairs=6,
        num_new_pairs=0,
        num_view_pairs=3,
        num_new_view_pairs=2,
        num_skipped_pairs=0,
        skipped=Skipped(strict=False),
    )
    _report(written)
    summary = "(6 pairs, 0 of them new, 3 in further views, 2 of them new)"
    assert capsys.readouterr().out.strip().endswith(summary)


def test_too_few_images_are_one_line(
    refused: Callable[..., str], photographs: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "photographs"
    folder.mkdir()
    assert "found none" in refused("export", "hloc", folder)
    shutil.copy(photographs / "a.jpg", folder)
    assert "at least two images, found 1" in refused("export", "hloc", folder)
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("# none\n")
    assert "found none" in refused("export", "hloc", folder, "--pairs", pairs)
    pairs.write_text("a.jpg b.jpg\n")
    line = refused("export", "hloc", folder, "--pairs", pairs, "--output", tmp_path / "out")
    assert "no pair is left to match: there is no image b.jpg" in line
    assert not (tmp_path / "out").exists()
