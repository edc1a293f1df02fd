import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path

import pytest
import torch
from matching.wireframes import matching_pair, randomize
from torch import Tensor, nn

pytest.importorskip("lightning_fabric")

from gluestick.matching.gluestick import GlueStick, GlueStickConfig
from gluestick.training.activation_checkpoints import checkpoint_activations
from gluestick.training.loop import LoopConfig, run_training
from gluestick.training.optimization import (
    OptimizationConfig,
    WeightAverage,
    build_optimizer,
    rate_at,
    set_rate,
)
from gluestick.training.runs.checkpoints import load_last_state


class LineTask:
    """Fits a line to noisy points."""

    def __init__(
        self, *, kill_at: int | None = None, size: int = 4, noise: float = 0.1, norm: bool = True
    ) -> None:
        torch.manual_seed(0)
        layers = [nn.Linear(3, 8), nn.BatchNorm1d(8) if norm else nn.Identity(), nn.GELU()]
        self.module: nn.Module = nn.Sequential(*layers, nn.Linear(8, 1))
        self.pairs_per_step, self.kill_at, self.noise = size, kill_at, noise

    def batches(self, first: int, *, device: torch.device, step: int = 1) -> Iterator[Tensor]:
        size = self.pairs_per_step
        for number in count(first, step):
            rows = range(number * size, (number + 1) * size)
            points = [torch.randn(3, generator=torch.Generator().manual_seed(row)) for row in rows]
            yield torch.stack(points).to(device)

    def loss(self, module: nn.Module, batch: Tensor, *, number: int) -> Mapping[str, Tensor]:
        if number == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        noise = self.noise * torch.randn(len(batch), 1)
        return {"loss": ((module(batch) - batch.sum(1, keepdim=True) - noise) ** 2).mean()}

    def validate(self, module: nn.Module, *, device: torch.device) -> Mapping[str, float]:
        points = torch.randn(64, 3, generator=torch.Generator().manual_seed(99))
        with torch.no_grad():
            error = float(((module(points) - points.sum(1, keepdim=True)) ** 2).mean())
        return {"score": -error}

    def weights(self, module: nn.Module) -> Mapping[str, Tensor]:
        return module.state_dict()


LOOP = LoopConfig(steps=40, accelerator="cpu", validate_every=10, save_every=6, log_every=10)
OPTIMIZATION = OptimizationConfig(learning_rate=0.02, accumulate=2, average=0.9)


def run(task: LineTask, folder: Path, *, resume: bool = False) -> bool:
    return run_training(
        task, folder, loop=LOOP, optimization=OPTIMIZATION, resume=resume, say=lambda _: None
    )


def test_a_killed_run_ends_in_the_same_weights(tmp_path: Path) -> None:
    whole, resumed = LineTask(), LineTask()
    assert run(whole, tmp_path / "whole")
    ended = ended_children([lambda: run(LineTask(kill_at=53), tmp_path / "killed")])
    assert ended == [-signal.SIGKILL]
    assert (load_last_state(tmp_path / "killed" / "states") or {})["step"] == 24
    assert run(resumed, tmp_path / "killed", resume=True)
    for name, value in whole.module.state_dict().items():
        assert torch.equal(value, resumed.module.state_dict()[name])
    for file in ("best.safetensors", "last.safetensors"):
        contents = [(tmp_path / name / file).read_bytes() for name in ("whole", "killed")]
        assert contents[0] == contents[1]


def test_two_processes_are_one_with_twice_the_batch(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    together = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "0"}
    together |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "test"}

    def join(rank: int) -> None:
        os.environ.update(together, RANK=str(rank), LOCAL_RANK=str(rank))
        run(LineTask(noise=0, norm=False), tmp_path / "two")

    assert ended_children([partial(join, 0), partial(join, 1)]) == [0, 0]
    run(LineTask(size=8, noise=0, norm=False), tmp_path / "one")
    two, one = (load_last_state(tmp_path / name / "states") for name in ("two", "one"))
    assert two is not None
    assert one is not None
    assert two["step"] == 40
    for name, value in one["weights"].items():
        torch.testing.assert_close(two["weights"][name], value, rtol=1e-5, atol=1e-6)
    lines = (tmp_path / "two" / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == len((tmp_path / "one" / "metrics.jsonl").read_text().splitlines())


def ended_children(runs: Sequence[Callable[[], object]]) -> list[int]:
    """Run each in a forked process, and return how the processes ended."""
    if torch.cuda.is_initialized():
        pytest.skip("a forked process cannot use a GPU that its parent has used")
    children = []
    for each in runs:
        child = os.fork()
        if child == 0:
            torch.set_num_threads(1)
            status = 1
            try:
                each()
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def test_layers_that_are_computed_again_change_nothing() -> None:
    config = GlueStickConfig(
        input_dim=32, descriptor_dim=32, keypoint_encoder=(8, 16), num_layers=2
    )
    torch.manual_seed(0)
    plain = randomize(GlueStick(config)).train()
    saving = GlueStick(config).train()
    saving.load_state_dict(plain.state_dict())
    assert checkpoint_activations(saving) == 4
    assert checkpoint_activations(nn.Linear(2, 2)) == 0
    for network in (plain, saving):
        matches = network(*matching_pair(8, 6, 5))
        matches.line_log_assignment.square().mean().backward()
    for first, second in zip(plain.parameters(), saving.parameters(), strict=True):
        assert (first.grad is None) == (second.grad is None)
        assert first.grad is None or torch.equal(first.grad, second.grad)
    for first, second in zip(plain.buffers(), saving.buffers(), strict=True):
        assert torch.equal(first, second)


def test_it_learns_and_keeps_the_last_states(tmp_path: Path) -> None:
    task = LineTask()
    before = task.validate(task.module, device=torch.device("cpu"))["score"]
    run(task, tmp_path)
    assert task.validate(task.module, device=torch.device("cpu"))["score"] > before / 2
    states = sorted(path.name for path in (tmp_path / "states").iterdir())
    assert states == ["step-00000036.pt", "step-00000040.pt"]
    state = load_last_state(tmp_path / "states")
    assert state is not None
    assert state["step"] == 40


def test_the_time_is_up(tmp_path: Path) -> None:
    loop = LoopConfig(steps=40, accelerator="cpu", max_seconds=1e-9)
    task = LineTask()
    done = run_training(task, tmp_path, loop=loop, optimization=OPTIMIZATION, say=lambda _: None)
    assert not done
    assert (load_last_state(tmp_path / "states") or {})["step"] == 1


def test_a_damaged_state_is_named(tmp_path: Path) -> None:
    (tmp_path / "states").mkdir()
    (tmp_path / "states" / "step-00000002.pt").write_bytes(b"half a file")
    with pytest.raises(ValueError, match=r"step-00000002\.pt"):
        run(LineTask(), tmp_path, resume=True)


def test_rates() -> None:
    config = OptimizationConfig(warmup=0.1, final_rate=0.1)
    rates = [rate_at(step, num_steps=100, config=config) for step in range(100)]
    assert rates[0] < 0.2
    assert max(rates) == pytest.approx(1, abs=0.1)
    assert rates[-1] == pytest.approx(0.1, abs=0.01)
    module = nn.ModuleDict({"body": nn.Linear(2, 2), "head": nn.Linear(2, 1)})
    optimizer = build_optimizer(module, OptimizationConfig(rates={"head": 10.0, "head.bias": 3.0}))
    set_rate(optimizer, 0.01)
    found = {
        id(parameter): group["lr"]
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    assert found[id(module["body"].weight)] == pytest.approx(0.01)
    assert found[id(module["head"].weight)] == pytest.approx(0.1)
    assert found[id(module["head"].bias)] == pytest.approx(0.03)


def test_averages_change_places_with_weights() -> None:
    module = nn.Linear(2, 1)
    average = WeightAverage(module, 0.5)
    before = module.weight.detach().clone()
    with torch.no_grad():
        module.weight += 1
    average.update(module, 100)
    average.exchange(module)
    torch.testing.assert_close(module.weight.detach(), before + 0.5)
    average.exchange(module)
    torch.testing.assert_close(module.weight.detach(), before + 1)


def test_errors() -> None:
    with pytest.raises(ValueError, match="'neck'"):
        build_optimizer(nn.Linear(2, 1), OptimizationConfig(rates={"neck": 2.0}))
    with pytest.raises(ValueError, match="found none"):
        build_optimizer(nn.Linear(2, 1).requires_grad_(False), OptimizationConfig())
    with pytest.raises(ValueError, match="learning_rate"):
        OptimizationConfig(learning_rate=0)
    with pytest.raises(ValueError, match="steps"):
        LoopConfig(steps=0)
