import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import gluestick
from gluestick.config import load_match_config
from gluestick.presets import KINDS, config_path, preset_folder, preset_names

ROOT = Path(gluestick.__file__).parent.parent


def test_presets_are_the_committed_configurations() -> None:
    assert preset_folder() == ROOT / "configs"
    assert {"quick", "accurate"} <= {*preset_names("match")}
    assert "held_out" in preset_names("benchmark")


def test_no_name_stands_for_two() -> None:
    names = [name for kind in KINDS for name in preset_names(kind)]
    assert len(names) == len({*names})


def test_a_name_is_a_file() -> None:
    path = config_path("quick")
    assert path == ROOT / "configs" / "match" / "quick.yaml"
    assert load_match_config("quick") == load_match_config(path)
    assert load_match_config("quick").pipeline.features.points.max_num_keypoints == 512


def test_paths_stay_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in ("own.yaml", "folder/quick", tmp_path):
        assert config_path(path) == Path(path)
    monkeypatch.chdir(tmp_path)
    Path("quick").write_text("max_error: 5")
    assert load_match_config("quick").max_error == 5


def test_an_unknown_name_lists_the_presets() -> None:
    with pytest.raises(ValueError, match="no preset fastest; presets are for match: accurate, "):
        load_match_config("fastest")


def test_the_wheel_holds_presets_and_data(tmp_path: Path) -> None:
    pytest.importorskip("setuptools")
    source = tmp_path / "source"
    kept = ("configs", "gluestick", "third_party", "setup.py", "setup.cfg", "pyproject.toml")
    for name in (*kept, "README.md", "LICENSE"):
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            source.mkdir(exist_ok=True)
            shutil.copy(path, source / name)
    command = [sys.executable, "setup.py", "-q", "build_py", "-d", str(tmp_path / "built")]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    built = tmp_path / "built" / "gluestick"
    for kind in KINDS:
        assert [*(built / "configs" / kind).glob("*.yaml")]
    for name in (
        "py.typed",
        "weights/manifest.json",
        "visualization/pages/viewer.js",
        "cli/program.py",
    ):
        assert (built / name).is_file()
    assert len([*(built / "weights").glob("*.safetensors")]) > 3
