import hashlib
import json
from pathlib import Path

import pytest
import torch

from gluestick.matching.line_heads.guided import GuidedLineHead
from gluestick.storage.parameters import read_parameters
from gluestick.training.guided_head import train
from gluestick.training.guided_head.train import MANIFEST, NAME, main, write_line_head


def test_a_head_and_its_record_are_written(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text(json.dumps({"other": {"sha256": "1"}}))
    head = GuidedLineHead()
    write_line_head(head, tmp_path, origin="made up")
    state_dict, _ = read_parameters(tmp_path / NAME)
    assert set(state_dict) == {f"line_head.{name}" for name in head.state_dict()}
    for name, value in head.state_dict().items():
        assert torch.equal(state_dict[f"line_head.{name}"], value)
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    assert manifest["other"] == {"sha256": "1"}
    assert manifest[NAME] == {
        "sha256": hashlib.sha256((tmp_path / NAME).read_bytes()).hexdigest(),
        "licence": "Apache-2.0",
        "origin": "made up",
        "origin_sha256": None,
    }


def test_a_damaged_manifest_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(ValueError, match="not JSON"):
        write_line_head(GuidedLineHead(), tmp_path, origin="")
    assert not (tmp_path / NAME).exists()
    assert (tmp_path / MANIFEST).read_text() == "{"


def test_the_command_trains_and_writes(
    assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(train, "BUDGETS", (64,))
    main([str(assets), "--output", str(tmp_path), "--pairs", "1", "--seed", "3"])
    state_dict, _ = read_parameters(tmp_path / NAME)
    head = GuidedLineHead()
    head.load_state_dict({name.removeprefix("line_head."): t for name, t in state_dict.items()})
    record = json.loads((tmp_path / MANIFEST).read_text())[NAME]
    assert record["origin"].endswith("guided_head.train on 1 pairs of 1 photographs, seed 3")
    first, last = capsys.readouterr().out.strip().splitlines()[-2:]
    losses = [float(word) for word in first.split(":")[1].split()]
    assert len(losses) == 16
    assert losses[-1] < losses[0]
    assert last.startswith("threshold 0.")


def test_the_output_is_asked_for(assets: Path, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        main([str(assets)])
    assert "--output" in capsys.readouterr().err
