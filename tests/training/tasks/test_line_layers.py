from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from training.batches import make_batch

pytest.importorskip("lightning_fabric")

from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.lightgluestick_config import LightGlueStickConfig
from gluestick.training.examples.batches import Batch, join_batches
from gluestick.training.examples.extraction_config import ExtractionConfig
from gluestick.training.loop import LoopConfig, run_training
from gluestick.training.optimization import OptimizationConfig, build_optimizer
from gluestick.training.tasks.line_layers import (
    LineLayersTask,
    LineLayersTaskConfig,
    NodeLossConfig,
)

NETWORK = LightGlueStickConfig(
    input_dim=32, descriptor_dim=32, num_layers=3, num_heads=2, line_layers=()
)
PAIRS = [make_batch(seed=seed) for seed in range(4)]


class FourPairs:
    """Gives the same four pairs again and again."""

    def __init__(self, *, mirroring: float = 0.0) -> None:
        torch.manual_seed(0)
        self.network = LightGlueStick(NETWORK)
        self.config = ExtractionConfig(
            batch_size=1, num_held_out=4, thinning=0.0, mirroring=mirroring
        )

    def batches(self, numbers: Iterable[int], **_: Any) -> Iterator[Batch]:
        for number in numbers:
            yield PAIRS[number % len(PAIRS)]


def make_task(**options: Any) -> LineLayersTask:
    torch.manual_seed(1)
    return LineLayersTask(FourPairs(), LineLayersTaskConfig(**options))  # type: ignore[arg-type]


def loss_of(task: LineLayersTask, batch: Batch) -> dict[str, torch.Tensor]:
    return dict(task.loss(task.module, batch, number=0))


def test_line_layers_learn_on_four_pairs() -> None:
    task = make_task(trained=("transformers.*.line_layer.*",))
    points = task.network.assign_nodes(PAIRS[0].wireframe0, PAIRS[0].wireframe1).log_assignment
    optimizer = build_optimizer(task.module, OptimizationConfig(learning_rate=5e-3))
    first = sum(float(loss_of(task, batch)["junctions"].detach()) for batch in PAIRS)
    for number in range(20):
        losses = loss_of(task, PAIRS[number % 4])
        optimizer.zero_grad()
        losses["loss"].backward()
        optimizer.step()
    last = sum(float(loss_of(task, batch)["junctions"].detach()) for batch in PAIRS)
    assert last < 0.8 * first
    learnt = task.network.assign_nodes(PAIRS[0].wireframe0, PAIRS[0].wireframe1).log_assignment
    assert torch.equal(learnt[:, 24:, 24:], points[:, 24:, 24:])
    assert set(task.weights(task.module)) == {
        name for name, _ in task.network.named_parameters() if "line_layer" in name
    }


@pytest.mark.parametrize("head", ["same_line", "guided"])
@pytest.mark.parametrize("attention", ["one_way", "full"])
def test_all_kinds_train(head: str, attention: str) -> None:
    task = make_task(line_head=head, attention=attention, line_layers=(1, 2))
    losses = loss_of(task, join_batches([PAIRS[0], make_batch(30, 10, 5, seed=9)]))
    losses["loss"].backward()
    for name, value in task.network.named_parameters():
        assert (value.grad is not None) == value.requires_grad, name
        assert value.grad is None or value.grad.isfinite().all(), name
    assert 0 <= task.validate(task.module, device=torch.device("cpu"))["score"] <= 1


@pytest.mark.parametrize("empty", [make_batch(20, 0, 0), make_batch(0, 0, 0)])
def test_batches_without_lines_train_on(empty: Batch) -> None:
    task = make_task()
    for batch in (empty, join_batches([empty, PAIRS[0]])):
        loss = loss_of(task, batch)["loss"]
        assert loss.isfinite()
        loss.backward()


def test_batches_without_positives_train_on() -> None:
    task, batch = make_task(), PAIRS[0]
    nothing = torch.zeros_like(batch.lines.same)
    batch = replace(batch, lines=batch.lines._replace(same=nothing), partners=nothing, nodes=None)
    loss = loss_of(task, batch)["loss"]
    loss.backward()
    assert loss.isfinite()


def test_points_are_trained_where_asked_for() -> None:
    assert "points" not in loss_of(make_task(), PAIRS[0])
    task = make_task(trained=("transformers.2.*", "line_head.*"))
    assert not task.module.frozen_keypoints
    losses = loss_of(task, PAIRS[0])
    losses["loss"].backward()
    assert float(losses["points"].detach()) > 0
    assert task.network.transformers[2].self_attn.Wqkv.weight.grad.any()
    assert task.network.transformers[1].self_attn.Wqkv.weight.grad is None


def test_in_a_mirror_no_line_is_the_same() -> None:
    config = LineLayersTaskConfig(trained=("line_head.*",))
    seen = []
    for mirroring in (0.0, 1.0):
        torch.manual_seed(1)
        task = LineLayersTask(FourPairs(mirroring=mirroring), config)  # type: ignore[arg-type]
        losses = loss_of(task, PAIRS[0])
        assert losses["loss"].isfinite()
        seen.append(float(losses["overlap"].detach()))
    assert seen[0] > 0
    assert seen[1] == 0


def test_supervised_layers() -> None:
    task = make_task(nodes=NodeLossConfig(layers=(1,)))
    heads = {name for name in task.weights(task.module) if name.startswith("log_assignment")}
    assert {name.split(".")[1] for name in heads} == {"1", "2"}
    with pytest.raises(ValueError, match="from 0 to 2"):
        make_task(nodes=NodeLossConfig(layers=(3,)))
    with pytest.raises(ValueError, match="at least 0"):
        NodeLossConfig(lines=-1)


def test_a_run_that_goes_on_ends_in_the_same_weights(tmp_path: Path) -> None:
    loop = LoopConfig(steps=4, accelerator="cpu", validate_every=4, save_every=2, half=False)
    optimization = OptimizationConfig(learning_rate=1e-3, average=0.9)

    def run(folder: str, *, resume: bool = False, **options: Any) -> bool:
        return run_training(
            make_task(),
            tmp_path / folder,
            loop=replace(loop, **options),
            optimization=optimization,
            resume=resume,
            say=lambda text: None,
        )

    assert run("whole")
    assert not run("parts", max_seconds=1e-9)
    assert run("parts", resume=True)
    found, needed = (load_file(tmp_path / name / "last.safetensors") for name in ("parts", "whole"))
    assert found.keys() == needed.keys()
    for name, value in needed.items():
        assert torch.equal(found[name], value), name
