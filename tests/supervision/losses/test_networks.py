from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from matching.wireframes import make_wireframe, matching_pair, randomize
from torch import Tensor, nn

from gluestick.matching.gluestick import GlueStick, GlueStickConfig
from gluestick.matching.layer_outputs import LayerOutput
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.lightgluestick_config import LightGlueStickConfig
from gluestick.supervision.losses.networks import assignment_nll, gluestick_loss, lightglue_loss
from gluestick.types import GroundTruth, Wireframe
from gluestick.wireframe.collate import stack_wireframes

SIZES = {"input_dim": 32, "descriptor_dim": 32, "num_layers": 2}
NETWORKS = {
    "gluestick": lambda: GlueStick(
        GlueStickConfig(**SIZES, keypoint_encoder=(8, 16), inter_supervision=(0,))
    ),
    "one_way": lambda: LightGlueStick(LightGlueStickConfig(**SIZES)),
    "full": lambda: LightGlueStick(LightGlueStickConfig(**SIZES, attention="full")),
}


def pair_loss(
    outputs: Sequence[LayerOutput],
    truth: GroundTruth,
    batch: list[Wireframe],
    *,
    confidence_weight: float = 1.0,
) -> Tensor:
    if outputs[0].log_assignment is None:
        return gluestick_loss(outputs, truth)["loss"]
    masks = batch[0].keypoint_mask, batch[1].keypoint_mask
    losses = lightglue_loss(outputs, truth, masks=masks, confidence_weight=confidence_weight)
    return losses["loss"]


def random_truth(batch: list[Wireframe], *, junctions: bool) -> GroundTruth:
    """Return labels of all kinds, with padding ignored."""
    labels = {}
    for prefix, masks in (
        ("gt", [side.keypoint_mask for side in batch]),
        ("gt_line", [side.line_mask for side in batch]),
    ):
        sizes = [mask.shape[1] for mask in masks]
        matches = [torch.full(mask.shape, -2) for mask in masks]
        for row, (first, second) in enumerate(zip(*masks, strict=True)):
            number = int(min(first.sum(), second.sum())) // 2
            start = 0 if junctions or prefix == "gt_line" else int(batch[0].num_junctions[row])
            last = max(start, min(number, *sizes))
            matches[0][row, start:last] = torch.arange(start, last)
            matches[1][row, start:last] = torch.arange(start, last)
            for own, mask in zip(matches, (first, second), strict=True):
                own[row, last : int(mask.sum())] = -1
        labels |= {f"{prefix}_matches{side}": own for side, own in enumerate(matches)}
    return GroundTruth(**labels)


def test_likelihoods_of_a_small_assignment() -> None:
    assignment = -torch.arange(24.0).view(2, 3, 4)
    found = assignment_nll(
        assignment,
        torch.tensor([[1, -1], [-2, 2]]),
        torch.tensor([[-2, 0, -1], [-2, -2, -1]]),
    )
    # Matches cost 1 and 18; what is alone costs 7 and 10 in the first pair, 22 in the second.
    assert found.matched.tolist() == [1, 18]
    assert found.unmatched.tolist() == [8.5, 22]
    assert found.balanced(0.25).tolist() == [0.25 + 0.75 * 8.5, 0.25 * 18 + 0.75 * 22]


def test_what_is_impossible_teaches_nothing() -> None:
    assignment = torch.zeros(1, 3, 3)
    assignment[0, 0, 0] = float("-inf")
    assignment.requires_grad_()
    found = assignment_nll(assignment, torch.tensor([[0, -2]]), torch.full((1, 2), -2))
    (found.matched + found.unmatched).sum().backward()
    assert found.matched == 0
    assert assignment.grad is not None
    assert (assignment.grad == 0).all()


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_nothing_to_match(shape: tuple[int, int]) -> None:
    assignment = torch.zeros(2, shape[0] + 1, shape[1] + 1)
    found = assignment_nll(assignment, *(torch.full((2, size), -1) for size in shape))
    assert (found.matched == 0).all()
    assert (found.unmatched == 0).all()


@pytest.mark.parametrize("kind", NETWORKS)
def test_gradients_are_those_of_finite_differences(kind: str) -> None:
    torch.manual_seed(0)
    network = randomize(NETWORKS[kind]()).double().eval()
    batch = [
        stack_wireframes([side, make_wireframe(4, 3, 2, seed=index)])
        for index, side in enumerate(matching_pair(6, 4, 3))
    ]
    truth = random_truth(batch, junctions=kind != "one_way")
    names = [name for name, _ in network.named_parameters()]
    chosen = [names[index] for index in range(0, len(names), max(1, len(names) // 4))]
    heads = [name for name in names if name.startswith("token_confidence.")]

    def loss() -> Tensor:
        outputs = network.forward_all(*batch)[1]
        # No gradient flows from confidences into nodes, so that differences tell of heads only.
        weight = float(name in heads)
        return pair_loss(outputs, truth, batch, confidence_weight=weight).sum()

    for name in [*chosen, *heads]:
        network.zero_grad()
        loss().backward()
        parameter = network.get_parameter(name)
        assert parameter.grad is not None
        generator = torch.Generator().manual_seed(1)
        direction = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        expected = float((parameter.grad * direction).sum())
        step, values = 1e-6, []
        with torch.no_grad():
            for sign in (1, -2):
                parameter += sign * step * direction
                values.append(float(loss()))
            parameter += step * direction
        assert (values[0] - values[1]) / (2 * step) == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("kind", NETWORKS)
def test_batches_with_empty_pairs_train_on(kind: str) -> None:
    network = randomize(NETWORKS[kind]()).train()
    pairs = [
        matching_pair(8, 6, 5),
        (make_wireframe(9, 0, 0), make_wireframe(7, 4, 3)),
        (make_wireframe(0, 0, 0), make_wireframe(5, 4, 3)),
        (make_wireframe(0, 0, 0), make_wireframe(0, 0, 0)),
    ]
    batch = [stack_wireframes(side) for side in zip(*pairs, strict=True)]
    truth = random_truth(batch, junctions=kind != "one_way")
    losses = pair_loss(network.forward_all(*batch)[1], truth, batch)
    assert losses.shape == (4,)
    assert losses.isfinite().all()
    losses.mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all(), name


def test_ignored_pairs_have_no_loss() -> None:
    network: nn.Module = randomize(NETWORKS["gluestick"]())
    batch = list(matching_pair(8, 6, 5))
    truth = random_truth(batch, junctions=True)
    ignored = replace(
        truth, **{name: torch.full_like(value, -2) for name, value in vars(truth).items()}
    )
    outputs = network.forward_all(*batch)[1]
    assert (gluestick_loss(outputs, ignored)["loss"] == 0).all()
    weighted = gluestick_loss(outputs, truth, layer_weights={0: 0.0})
    assert torch.equal(weighted["loss"], weighted["points"] + weighted["lines"])
