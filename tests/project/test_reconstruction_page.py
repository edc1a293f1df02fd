"""The commands in docs/reconstruction.md, run on a small scene."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from sfm_scenes import write_cameras, write_textured_photographs
from typer.testing import CliRunner

from gluestick.cli import app

PAGE = Path(__file__).parents[2] / "docs" / "reconstruction.md"
QUICK = ("--max-num-keypoints", "128", "--max-num-lines", "40", "--threads", "1")


def commands() -> list[str]:
    """Return the lines of the page's shell blocks, without those for a cluster."""
    blocks = re.findall(r"```bash\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.strip().splitlines()]
    return [line for line in lines if "--workers ray" not in line]


def test_the_commands_of_the_page_run(
    tmp_path: Path, assets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pycolmap")
    write_textured_photographs(tmp_path / "photos", assets)
    (tmp_path / "photos" / "3.png").unlink()
    write_cameras(tmp_path / "cameras.json")
    (tmp_path / "pairs.txt").write_text("0.png 1.png\n1.png 2.png\n0.png 2.png\n")
    monkeypatch.chdir(tmp_path)
    found = commands()
    assert len(found) == 9
    for command in found:
        program, *arguments = shlex.split(command)
        assert program == "gluestick"
        output = Path(arguments[arguments.index("--output") + 1])
        if not output.exists():  # features do not depend on what follows them
            output.mkdir(parents=True)
            for path in (tmp_path / "output" / "reconstruction").glob("*s.h5"):
                shutil.copy(path, output)
        result = CliRunner().invoke(app, [*arguments, *QUICK])
        assert result.exit_code == 0, f"{command}: {result.output}"
    for name in ("reconstruction", "known", "posed", "global", "extended"):
        assert (tmp_path / "output" / name / "points.ply").is_file()
    assert (tmp_path / "output" / "known" / "undistorted" / "sparse" / "0").is_dir()
    assert (tmp_path / "mine.db").is_file()
