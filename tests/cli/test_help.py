"""Help comes at once: nothing that takes long is imported for it."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
import typer
from typer.testing import Result

import gluestick
from gluestick.cli import app
from gluestick.config import MatchConfig
from gluestick.pretrained import DEFAULT_MODEL, MODELS

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
    assert "gluestick.cli.commands.pairs.match" in modules
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


def test_the_version_is_shown(invoke: Callable[..., Result]) -> None:
    assert invoke("--version").output == f"gluestick {gluestick.__version__}\n"


def test_every_option_has_its_default(invoke: Callable[..., Result]) -> None:
    """Flags that are off say so by their name alone."""
    for words in (("match",), ("detect",), ("stitch",), ("export", "hloc")):
        text = " ".join(invoke(*words, "--help").output.split())
        options = text.partition(" Options: ")[2]
        for option in re.split(r" (?=--[a-zK][\w-]* )", f" {options}")[1:]:
            if "<" in option.partition("[default")[0] or " / " in option:
                assert "[default: " in option, option


def test_defaults_are_those_of_the_configuration(invoke: Callable[..., Result]) -> None:
    config = MatchConfig(pipeline=MODELS[DEFAULT_MODEL].config)
    features = config.pipeline.features
    words = {
        "model": config.model,
        "max-num-keypoints": features.points.max_num_keypoints,
        "max-num-lines": features.lines.max_num_lines,
        "min-length": f"{features.lines.min_length:g}",
        "line-detector": features.lines.name,
        "resize": features.resize.size,
        "geometry": config.geometry,
    }
    text = " ".join(invoke("match", "--help").output.split())
    for name, value in words.items():
        own = text.partition(f"--{name} <")[2].partition("]")[0]
        assert own.endswith(f"[default: ({value})"), own
    assert config.max_error is None
    assert "(3, px as detectors see them)" in text
    assert "(auto; none for peers)" in text
    assert config.pipeline.view == "auto"


def test_the_options_of_a_benchmark_are_its_own(invoke: Callable[..., Result]) -> None:
    for name, keypoints in (("synthetic", 512), ("pose", 1024)):
        words = invoke("benchmark", name, "--help").output.split()
        assert f"{keypoints}]" in words
