import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import Result

import gluestick.weights
from gluestick.peers import PEERS
from gluestick.pretrained import DEFAULT_MODEL, MODELS

WEIGHTS = Path(gluestick.weights.__file__).parent


@pytest.fixture
def listed(invoke: Callable[..., Result]) -> list[str]:
    result = invoke("models")
    assert result.exit_code == 0
    assert result.stderr == ""
    return result.stdout.splitlines()


def below(lines: list[str], heading: str) -> Iterator[str]:
    """Go through the indented lines below a heading."""
    for line in lines[lines.index(heading) + 1 :]:
        if not line.startswith("    "):
            return
        yield line.removeprefix("    ")


def test_every_model_has_its_card(listed: list[str]) -> None:
    headings = {name: name for name in MODELS}
    headings[DEFAULT_MODEL] += " (default)"
    for name, heading in headings.items():
        card = MODELS[name]
        weights = "in the package" if card.weights else "name files: --weights, --detector-weights"
        assert list(below(listed, heading)) == [
            card.summary,
            f"weights: {weights}",
            f"licence: {card.licence}",
            f"origin:  {card.origin}",
        ]
    assert [line for line in listed if line.endswith("(default)")] == ["aliked-lsd (default)"]


def test_licences_are_those_of_the_weights(listed: list[str]) -> None:
    licence = "licence: commercial use allowed: ALIKED BSD-3-Clause, LightGlue and the line head "
    assert f"{licence}Apache-2.0" in below(listed, "aliked-lsd (default)")
    for name in ("superpoint-lsd-gluestick", "superpoint-lsd-lightgluestick"):
        assert any("Magic Leap: non-commercial" in line for line in below(listed, name))


def test_every_peer_has_a_line(listed: list[str]) -> None:
    heading = "Peers, for comparison (their weights come with `make peers`):"
    expected = [f"{peer.name}: {peer.summary}; {peer.licence}" for peer in PEERS.values()]
    assert list(below(listed, heading)) == expected


def test_every_file_of_the_package_is_listed_with_its_checksum(listed: list[str]) -> None:
    listed_files = {}
    for line in below(listed, "Files in the package:"):
        name, _, rest = line.partition(": ")
        listed_files[name] = rest.rpartition("SHA-256 ")[2]
    files = sorted(WEIGHTS.glob("*.safetensors"))
    assert listed_files == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }
    assert len(files) > 3
