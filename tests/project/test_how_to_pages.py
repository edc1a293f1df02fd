"""The blocks of the how-to pages, run as they stand on a small scene.

Shell blocks of this package's commands run here, and so do the Python blocks of the page on COLMAP.
Those of another program run where an environment variable names the interpreter of an environment
that was made as the page says, such as ``GLUESTICK_LIMAP_PYTHON=limap-env/bin/python``.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from sfm_scenes import write_textured_photographs
from typer.testing import CliRunner

from gluestick.cli import app

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "how_to"
QUICK = ("--max-num-keypoints", "128", "--max-num-lines", "40", "--threads", "1")
OTHERS = ("hloc", "limap", "vismatch")


def blocks(page: str, language: str) -> list[str]:
    """Return the blocks of a page in a language: bash for our commands, sh for others."""
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands(page: str) -> list[str]:
    """Return this package's commands of a page."""
    return [line for block in blocks(page, "bash") for line in block.strip().splitlines()]


def run_python(code: str, folder: Path, *, interpreter: str) -> str:
    """Run a block as a program, and return what it prints."""
    script = folder / "block.py"
    script.write_text(code, encoding="utf-8")
    done = subprocess.run(
        [interpreter, script.name],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, assets: Path) -> Path:
    """A folder in which the commands of all pages have run."""
    pytest.importorskip("pycolmap")
    place = tmp_path_factory.mktemp("pages")
    write_textured_photographs(place / "photos", assets)
    (place / "photos" / "3.png").unlink()
    wanted = {command for page in ("colmap", *OTHERS) for command in commands(page)}
    assert len(wanted) == 3
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        for command in sorted(wanted, key=lambda each: "--junctions" not in each):
            program, *arguments = shlex.split(command)
            assert program == "gluestick"
            share_features(arguments)
            result = CliRunner().invoke(app, [*arguments, *QUICK])
            assert result.exit_code == 0, f"{command}: {result.output}"
    return place


def share_features(arguments: list[str]) -> None:
    """Have a command begin with the features that the first one found, which are the same."""
    output = Path(arguments[arguments.index("--output") + 1])
    first = Path("output/reconstruction")
    if output != first:
        output.mkdir(parents=True)
        for name in ("features.h5", "matches.h5"):
            (output / name).write_bytes((first / name).read_bytes())


def test_lines_of_a_colmap_model_know_their_ends(folder: Path) -> None:
    (block,) = blocks("colmap", "python")
    printed = run_python(block, folder, interpreter=sys.executable).splitlines()
    assert len(printed) == 3
    counts = [re.fullmatch(r"\d\.png: (\d+) of 40 lines .*", line) for line in printed]
    assert sum(int(count[1]) for count in counts if count) > 0
    assert all(counts)
    assert (folder / "mine.db").is_file()


@pytest.mark.parametrize("page", OTHERS)
def test_blocks_of_another_program_run_in_its_environment(page: str, folder: Path) -> None:
    variable = f"GLUESTICK_{page.upper()}_PYTHON"
    interpreter = os.environ.get(variable)
    if not interpreter:
        pytest.skip(f"{variable} needs to name the interpreter of an environment with {page}")
    for block in blocks(page, "python"):
        assert run_python(block, folder, interpreter=interpreter)
    if page == "limap":
        demo = [interpreter, ROOT / "demos" / "limap_line_map.py", "output/reconstruction"]
        subprocess.run(demo, cwd=folder, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
        assert (folder / "output" / "reconstruction" / "limap" / "line_map.png").is_file()


@pytest.mark.parametrize("page", ["colmap", *OTHERS])
def test_python_blocks_are_python(page: str) -> None:
    found = blocks(page, "python")
    assert found
    for block in found:
        compile(block, page, "exec")
