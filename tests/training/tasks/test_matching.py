from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from matching.wireframes import make_wireframe, matching_pair, randomize
from training.photographs import write_photographs

pytest.importorskip("lightning_fabric")

from gluestick.config import load_config
from gluestick.matching.gluestick import GlueStickConfig
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.lightgluestick_config import LightGlueStickConfig
from gluestick.pipeline import PointLineMatcher
from gluestick.supervision.rules import TrueMatches
from gluestick.supervision.same_lines import SameLines, best_partners
from gluestick.training.config import TrainConfig
from gluestick.training.examples.batches import Batch
from gluestick.training.runs.run import train
from gluestick.training.tasks.matching import (
    GlueStickTaskConfig,
    MatchingTask,
    PointsTaskConfig,
    gluestick_task,
    points_task,
)
from gluestick.wireframe.collate import stack_wireframes

TINY = Path(__file__).parents[3] / "configs" / "train" / "tiny.yaml"


def make_batch() -> Batch:
    """Return a pair with matches, one without lines, and a blank one."""
    pairs = [
        matching_pair(8, 6, 4),
        (make_wireframe(9, 0, 0), make_wireframe(7, 4, 3)),
        (make_wireframe(0, 0, 0), make_wireframe(0, 0, 0)),
    ]
    sides = [stack_wireframes(side) for side in zip(*pairs, strict=True)]
    same = torch.zeros(3, sides[0].lines.shape[1], sides[1].lines.shape[1], dtype=torch.bool)
    same[0, range(3), range(3)] = True
    lines = SameLines(
        same, same.float(), torch.zeros_like(same).index_fill(0, torch.tensor([0]), True)
    )
    nodes = [torch.where(side.keypoint_mask, -1, -2) for side in sides]
    for own in nodes:
        own[0, :14] = torch.arange(14)
    return Batch(
        wireframe0=sides[0],
        wireframe1=sides[1],
        lines=lines,
        partners=best_partners(lines),
        nodes=TrueMatches(*nodes),
    )


def fake_extraction(network: LightGlueStick | None = None) -> SimpleNamespace:
    """Return what gives one batch again and again."""

    def batches(numbers, *, device, held_out=False, apart=True):
        for _ in numbers:
            yield make_batch()

    config = SimpleNamespace(batch_size=3, num_held_out=3, num_pairs=3)
    return SimpleNamespace(batches=batches, config=config, network=network)


def gluestick() -> MatchingTask:
    network = GlueStickConfig(
        input_dim=32,
        descriptor_dim=32,
        keypoint_encoder=(8, 16),
        num_layers=2,
        inter_supervision=(0,),
    )
    return gluestick_task(
        fake_extraction(), GlueStickTaskConfig(network=network, layer_weights=(0.5,))
    )


def points(**options: object) -> MatchingTask:
    config = LightGlueStickConfig(input_dim=32, descriptor_dim=32, num_layers=2, line_layers=())
    network = randomize(LightGlueStick(config))
    return points_task(fake_extraction(network), PointsTaskConfig(**options))


TASKS = {
    "gluestick": gluestick,
    "last layer": lambda: points(trained=("transformers.1.*", "log_assignment.1.*")),
    "adapters": lambda: points(trained=(), rank=2),
}


@pytest.mark.parametrize("kind", TASKS)
def test_a_task_learns_from_batches_with_empty_pairs(kind: str) -> None:
    torch.manual_seed(0)
    task, device = TASKS[kind](), torch.device("cpu")
    trained = [value for value in task.module.parameters() if value.requires_grad]
    before = {name: value.clone() for name, value in task.weights(task.module).items()}
    optimizer = torch.optim.AdamW(trained, lr=1e-2)
    losses = []
    for number, batch in enumerate(islice(task.batches(0, device=device), 12)):
        loss = task.loss(task.module, batch, number=number)["loss"]
        optimizer.zero_grad()
        loss.backward()
        assert all(value.grad is None or value.grad.isfinite().all() for value in trained)
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * losses[0]
    figures = task.validate(task.module.eval(), device=device)
    assert 0 <= figures["score"] <= 1
    assert {*task.pictures(task.module, device=device)} == {"points", "lines"}
    after = task.weights(task.module)
    assert after.keys() == before.keys()
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    if kind == "last layer":
        assert all(".1." in name for name in changed)
    elif kind == "adapters":
        assert all("_attn." in name and name.endswith("weight") for name in changed)
    assert changed


def test_errors() -> None:
    with pytest.raises(ValueError, match="layer_weights"):
        GlueStickTaskConfig(layer_weights=(1.0,))
    with pytest.raises(ValueError, match="rank"):
        PointsTaskConfig(rank=-1)
    with pytest.raises(ValueError, match="linear layers"):
        points(trained=(), rank=1, adapted=("nothing",))


def test_eight_pairs_are_learnt_by_heart(tmp_path: Path) -> None:
    config = load_config(TINY, defaults=TrainConfig())
    data = replace(
        config.data,
        photographs=str(write_photographs(tmp_path / "photographs")),
        num_keypoints=(32,),
        num_lines=(8,),
    )
    extraction = replace(config.extraction, max_num_keypoints=32, max_num_lines=8)
    loop = replace(config.loop, steps=80, validate_every=80, save_every=80)
    config = replace(
        config,
        data=data,
        extraction=extraction,
        loop=loop,
        cache=str(tmp_path / "cache"),
        output=str(tmp_path / "output"),
    )
    shown: list[str] = []
    assert train(config, say=shown.append)
    figures = dict(
        pair for pair in zip(*[iter(shown[-1].split(": ")[1].split())] * 2, strict=False)
    )
    assert float(figures["lines/ap"]) > 0.95
    assert float(figures["points/ap"]) > 0.9
    weights = tmp_path / "output" / "best.safetensors"
    matcher = PointLineMatcher.from_pretrained(weights=weights)
    assert matcher.network.config == config.gluestick.network
    tuned = replace(
        config,
        init=str(weights),
        output=str(tmp_path / "tuned"),
        loop=replace(loop, steps=1, validate_every=1),
        optimization=replace(config.optimization, learning_rate=1e-6),
    )
    train(tuned, say=shown.append)
    found = float(shown[-1].split("lines/ap ")[1].split()[0])
    assert found == pytest.approx(float(figures["lines/ap"]), abs=0.05)
    narrow = replace(config.gluestick, network=replace(config.gluestick.network, descriptor_dim=32))
    with pytest.raises(ValueError, match="is needed"):
        train(replace(tuned, gluestick=narrow), say=shown.append)
