from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from gluestick.cli import app

Invoke = Callable[..., Result]


@pytest.fixture
def invoke() -> Invoke:
    """Runs the command line and returns its result."""

    def run(*arguments: str | Path) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run


@pytest.fixture
def refused(invoke: Invoke) -> Callable[..., str]:
    """Runs the command line, expects one line and exit status 2, and returns the line."""

    def run(*arguments: str | Path) -> str:
        result = invoke(*arguments)
        assert result.exit_code == 2, result.output
        lines = result.stderr.strip().splitlines()
        assert len(lines) == 1, result.stderr
        assert "Traceback" not in lines[0]
        return lines[0]

    return run


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory, assets: Path) -> Path:
    """A folder with two small photographs, ``a.jpg`` and ``b.jpg``, and a blank image."""
    folder = tmp_path_factory.mktemp("photographs")
    for letter in "ab":
        with Image.open(assets / f"leuven_{letter}.jpg") as image:
            image.resize((375, 281)).save(folder / f"{letter}.jpg", quality=95)
    Image.fromarray(np.full((60, 80, 3), 128, np.uint8)).save(folder / "blank.png")
    return folder
