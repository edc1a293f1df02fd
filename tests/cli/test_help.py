"""Help comes at once: nothing that takes long is imported for it."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
import typer
from typer.testing import Result

from gluestick.cli import app

SLOW = ("torch", "numpy", "scipy", "cv2", "kornia", "h5py", "omegaconf", "matplotlib", "PIL")

SHOW_HELP = """
import json, sys
from typer.testing import CliRunner
from gluestick.cli import app
codes = [CliRunner().invoke(app, [*words, "--help"]).exit_code for words in json.loads(sys.argv[1])]
print(json.dumps([codes, sorted(sys.modules)]))
"""


def commands(group: object, *parents: str) -> Iterator[tuple[str, ...]]:
    """Walk through the words of every command, those of groups too."""
    yield parents
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, *parents, name)


COMMANDS = list(commands(typer.main.get_command(app)))


def test_there_are_commands() -> None:
    assert {("match",), ("benchmark",), ("benchmark", "pose"), ("benchmark", "all")} <= {*COMMANDS}


def test_help_imports_nothing_that_takes_long() -> None:
    arguments = [sys.executable, "-c", SHOW_HELP, json.dumps(COMMANDS)]
    output = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
    codes, modules = json.loads(output)
    assert codes == [0] * len(COMMANDS)
    assert "gluestick.cli.match" in modules
    assert not {*SLOW} & {*modules}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_shows_an_example(
    invoke: Callable[..., Result], words: tuple[str, ...]
) -> None:
    result = invoke(*words, "--help")
    assert result.exit_code == 0, result.output
    text = " ".join(result.output.split())
    within = [other[-1] for other in COMMANDS if other and other[:-1] == words]
    for example in [f" {name} " for name in within] or [f"Example: gluestick {' '.join(words)} "]:
        assert example in text


def test_the_options_of_a_benchmark_are_its_own(invoke: Callable[..., Result]) -> None:
    for name, keypoints in (("synthetic", 512), ("pose", 1024)):
        words = invoke("benchmark", name, "--help").output.split()
        assert f"{keypoints}]" in words
