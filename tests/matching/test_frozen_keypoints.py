import pytest
import torch
from matching.wireframes import matching_pair
from torch import Tensor

from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.lightgluestick_config import LightGlueStickConfig
from gluestick.types import Wireframe
from gluestick.wireframe.collate import stack_wireframes

CONFIG = LightGlueStickConfig(input_dim=32, descriptor_dim=32, num_layers=3, num_heads=2)


def network() -> LightGlueStick:
    torch.manual_seed(0)
    made = LightGlueStick(CONFIG).double().requires_grad_(False)
    for name, parameter in made.named_parameters():
        if "line_layer" in name:
            torch.nn.init.normal_(parameter, std=0.1)
            parameter.requires_grad_()
    return made


def padded_batch() -> tuple[Wireframe, Wireframe]:
    pairs = [matching_pair(20, 8, 6, seed=0), matching_pair(13, 5, 3, seed=1)]
    first, second = (stack_wireframes(side) for side in zip(*pairs, strict=True))
    return first, second


def outputs(made: LightGlueStick, pair: tuple[Wireframe, Wireframe], *, frozen: bool) -> Tensor:
    layers = made.assign_at_layers(*pair, layers=(0, 1), frozen_keypoints=frozen)
    assert len(layers) == 3
    return torch.cat([nodes.endpoint_similarity.flatten() for nodes in layers])


@pytest.mark.parametrize("pair", [matching_pair(20, 8, 6), padded_batch(), matching_pair(9, 0, 0)])
def test_nothing_changes_but_the_way_of_gradients(pair: tuple[Wireframe, Wireframe]) -> None:
    made = network()
    gradients = []
    for frozen in (False, True):
        made.zero_grad()
        found = outputs(made, pair, frozen=frozen)
        if found.numel():
            found.square().sum().backward()
        gradients.append((found.detach(), [value.grad for value in made.parameters()]))
    torch.testing.assert_close(gradients[0], gradients[1])


def test_what_is_said_in_the_end_is_what_matching_says() -> None:
    made, pair = network(), padded_batch()
    last = made.assign_at_layers(*pair, layers=(), frozen_keypoints=True)
    assert len(last) == 1
    torch.testing.assert_close(tuple(last[0]), tuple(made.assign_nodes(*pair)))


def test_keypoints_get_no_gradient() -> None:
    made = network()
    found = made.assign_at_layers(*matching_pair(20, 8, 6), layers=(), frozen_keypoints=True)
    keypoints = found[0].log_assignment[:, 8:-1, 8:-1]
    (gradient,) = torch.autograd.grad(
        keypoints.sum(), [made.transformers[0].line_layer.Wqkv.weight], allow_unused=True
    )
    assert gradient is None or not gradient.any()
