import pytest
import torch
from torch import nn

from gluestick.training.adapters import add_adapters, merged_parameters
from gluestick.training.optimization import trained_parameters


def make_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.ModuleDict(
        {"body": nn.Linear(4, 6), "norm": nn.BatchNorm1d(6), "head": nn.Linear(6, 2)}
    )


def test_adapters_change_nothing_at_first_and_are_multiplied_out() -> None:
    network, points = make_network().requires_grad_(False), torch.randn(5, 4)
    before = network["body"](points)
    names = set(network.state_dict())
    assert add_adapters(network, ("body", "norm"), rank=2) == ["body"]
    assert torch.equal(network["body"](points), before)
    assert all("parametrizations.weight.0." in name for name, _ in trained_parameters(network))
    with torch.no_grad():
        for _, parameter in trained_parameters(network):
            parameter.normal_()
    state = merged_parameters(network)
    assert set(state) == names
    plain = make_network()
    plain.load_state_dict(state)
    torch.testing.assert_close(plain["body"](points), network["body"](points))
    changed = plain["body"].weight - make_network()["body"].weight
    assert int(torch.linalg.matrix_rank(changed)) == 2


def test_errors() -> None:
    with pytest.raises(ValueError, match="none is called neck"):
        add_adapters(make_network(), ("neck",), rank=1)
