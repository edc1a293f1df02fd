"""Commands on a device: what they write comes from there."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerators import Accelerator


@pytest.fixture
def device(accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the device, which commands find."""
    if accelerator.fake is not None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (8 << 30, 16 << 30))
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a pretended GPU")
    return str(accelerator.device)


def run(invoke: Callable, device: str, output: Path, *arguments: str | Path) -> Path:
    result = invoke(*arguments, "--device", device, "--output", output)
    assert result.exit_code == 0, result.output
    return output


def test_match(invoke: Callable, photographs: Path, tmp_path: Path, device: str) -> None:
    command = ("match", photographs / "a.jpg", photographs / "b.jpg", "--viewer")
    found, expected = (
        np.load(run(invoke, name, tmp_path / name[:4], *command) / "matches.npz")
        for name in (device, "cpu")
    )
    for name in ("matches0", "line_matches0"):
        numbers = [int((archive[name] > -1).sum()) for archive in (found, expected)]
        assert numbers[0] == pytest.approx(numbers[1], rel=0.05, abs=1)
        assert numbers[1] > 10


def test_detect(invoke: Callable, photographs: Path, tmp_path: Path, device: str) -> None:
    output = run(invoke, device, tmp_path, "detect", photographs / "a.jpg")
    assert len(np.load(output / "features.npz")["keypoints"]) > 100


def test_export(invoke: Callable, photographs: Path, tmp_path: Path, device: str) -> None:
    run(invoke, device, tmp_path, "export", "hloc", photographs)
    assert (tmp_path / "matches.h5").stat().st_size > 10_000
