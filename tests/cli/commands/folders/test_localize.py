import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sfm_scenes import write_cameras, write_textured_photographs
from typer.testing import Result

QUICK = ("--max-num-keypoints", "128", "--max-num-lines", "40", "--threads", "1")


def test_a_photograph_is_localized_in_a_reconstruction(
    invoke: Callable[..., Result], tmp_path: Path, assets: Path
) -> None:
    pytest.importorskip("pycolmap")
    write_textured_photographs(tmp_path / "photographs", assets)
    write_cameras(tmp_path / "cameras.json")
    (tmp_path / "queries").mkdir()
    shutil.move(tmp_path / "photographs" / "2.png", tmp_path / "queries" / "2.png")
    (tmp_path / "queries" / "bad.png").write_bytes(b"no image")
    known = ("--cameras", tmp_path / "cameras.json")
    made = invoke(
        "reconstruct", tmp_path / "photographs", "--output", tmp_path / "map", *known, *QUICK
    )
    assert made.exit_code == 0, made.output
    arguments = ("localize", tmp_path / "map", tmp_path / "queries", "--output", tmp_path / "out")
    result = invoke(*arguments, *known, "--num-similar", "2", "--threads", "1")
    assert result.exit_code == 0, result.output
    assert "1 of 2 queries localized" in result.output
    assert "gluestick: not localized: bad.png:" in result.stderr
    (line,) = (tmp_path / "out" / "poses.txt").read_text().splitlines()
    assert line.split()[0] == "2.png"
    assert len(line.split()) == 8
    settings = json.loads((tmp_path / "out" / "run.json").read_text())
    assert settings["matching"]["pipeline"]["features"]["points"]["max_num_keypoints"] == 128
    assert settings["localization"]["references"]["num_similar"] == 2
    record = json.loads((tmp_path / "out" / "poses.json").read_text())[0]
    assert len(record["references"]) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("FOLDER", "nowhere"), "no folder and no list nowhere"),
        (("nowhere", "QUERIES"), "output of gluestick reconstruct or a COLMAP model"),
        (("FOLDER", "QUERIES", "--num-similar", "0"), "num_similar needs to be at least 1"),
        (("FOLDER", "QUERIES", "--cameras", "nowhere.json"), "no file of cameras nowhere.json"),
        (("DAMAGED", "QUERIES"), "run.json is damaged"),
    ],
)
def test_bad_input_is_one_line(
    refused: Callable[..., str],
    tmp_path: Path,
    photographs: Path,
    arguments: tuple[str, ...],
    words: str,
) -> None:
    pytest.importorskip("pycolmap")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "run.json").write_text("{")
    places = {"FOLDER": tmp_path, "QUERIES": photographs, "DAMAGED": tmp_path / "damaged"}
    given = [places.get(argument, argument) for argument in arguments]
    assert words in refused("localize", *given, "--output", tmp_path / "out", "--threads", "1")
    assert not (tmp_path / "out").exists()
