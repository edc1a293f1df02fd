"""Whatever is given to the command line, a result or one line comes back."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from strange_images import STRANGE, photograph, write_strange
from typer.testing import Result

from gluestick.export import read_matches_npz

QUICK = ("--max-num-keypoints", "48", "--max-num-lines", "12", "--rotation", "none")

MATCHABLE = {
    "cmyk.jpg",
    "grey_alpha.png",
    "jpeg_called.png",
    "no_ending",
    "portable.ppm",
    "sixteen.png",
    "spaces and ümläuts.png",
    "trailing.jpg",
}
"""Some of those that show the photograph."""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, assets: Path) -> Path:
    path = tmp_path_factory.mktemp("plain") / "plain.png"
    photograph(assets).save(path)
    return path


def assert_result_or_one_line(result: Result, output: Path) -> None:
    assert result.exit_code in (0, 2), (result.output, result.exception)
    assert "Traceback" not in result.output
    if result.exit_code == 0:
        assert (output / "matches.npz").is_file()
        return
    assert result.stderr.startswith("gluestick: ")
    assert result.stderr.count("\n") == 1
    assert not output.exists()


@pytest.mark.parametrize("name", STRANGE)
def test_a_strange_image(
    invoke: Callable[..., Result], plain: Path, assets: Path, tmp_path: Path, name: str
) -> None:
    path, output = write_strange(tmp_path, name, assets), tmp_path / "output"
    result = invoke("match", path, plain, "--output", output, "--no-pictures", *QUICK)
    assert_result_or_one_line(result, output)
    if result.exit_code == 2:
        assert name.split("#")[0] in result.stderr
    if name in MATCHABLE:
        assert (read_matches_npz(output / "matches.npz")["matches0"] > -1).sum() > 5


@pytest.mark.parametrize(
    "words",
    [
        ("--mask0", "."),
        ("--lines0", "."),
        ("--lines1", "{text}"),
        ("--lines0", "{object}"),
        ("--mask1", "{text}"),
        ("--mask0", "{image}", "--mask1", "{image}", "--viewer"),
        ("--K0", "1e400,1,1", "--K1", "1,1,1"),
        ("--K0", "{image}", "--K1", "{image}"),
        ("--K0", "100,80,60", "--K1", "100,80,60", "--geometry", "none"),
        ("--K0", "100,80,60,9,9,9,9", "--K1", "1e-9,80,60"),
        ("--max-error", "nan"),
        ("--max-error", "1e308"),
        ("--max-error", "1e-300"),
        ("--resize", "-5"),
        ("--resize", "1"),
        ("--resize", "0"),
        ("--nms-radius", "-1"),
        ("--nms-radius", "100000"),
        ("--min-length", "nan"),
        ("--min-length", "1e9"),
        ("--detection-threshold", "inf"),
        ("--max-num-keypoints", "1"),
        ("--max-num-lines", "0"),
        ("--max-num-lines", "1"),
        ("--config", "."),
        ("--config", "{text}"),
        ("--config", "{image}"),
        ("--weights", "{text}"),
        ("--weights", "."),
        ("--detector-weights", "{image}"),
        ("--model", ""),
        ("--model", "vismatch:"),
        ("--device", ""),
        ("--device", "cuda:99"),
        ("--threads", "-3"),
        ("--rotation", "sideways"),
        ("--geometry", ""),
        ("a=b",),
        ("=",),
        ("pipeline.features=3",),
        ("pipeline.features.points.name=[1,2]",),
        ("pipeline=null",),
        ("pipeline.features.resize.size=${nowhere}",),
        ("max_error={a: [}",),
        ("pipeline.lightgluestick.num_heads=7",),
        ("pipeline.wireframe.junction_radius=-1",),
        ("pipeline.wireframe.junction_radius=1e9",),
        ("--output", "{text}"),
        ("--output", "{text}/below"),
    ],
    ids=" ".join,
)
def test_strange_options(
    invoke: Callable[..., Result], plain: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "text.txt").write_text("no: [ numbers\n\x01")
    np.save(tmp_path / "object.npy", np.array([{"a": 1}], dtype=object))
    files = {
        "text": tmp_path / "text.txt",
        "object": tmp_path / "object.npy",
        "image": plain,
    }
    given = [
        word.format(**files) if word[1:-1] in files or "{text}" in word else word for word in words
    ]
    output = tmp_path / "output"
    result = invoke("match", plain, plain, "--output", output, "--no-pictures", *QUICK, *given)
    assert_result_or_one_line(result, output)


@pytest.mark.parametrize(
    "words",
    [
        ("match",),
        ("match", "a.png"),
        ("match", "--resize", "big", "a.png", "b.png"),
        ("match", "--no-such-option", "a.png", "b.png"),
        ("detect", "missing.png"),
        ("detect", "."),
        ("stitch", "missing.png", "missing.png"),
        ("settings", "nothing"),
        ("export", "hloc", "missing"),
        ("data", "nothing", "missing"),
        ("benchmark", "pose", "missing"),
        ("nothing",),
    ],
    ids=" ".join,
)
def test_strange_commands(
    invoke: Callable[..., Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke(*words)
    assert result.exit_code == 2, (result.output, result.exception)
    assert "Traceback" not in result.output
    assert [*tmp_path.iterdir()] == []
