import pytest
import torch
from matching.wireframes import matching_pair, randomize

from gluestick.matching.added_line_layers import add_line_layers
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.lightgluestick_config import LightGlueStickConfig

SMALL = LightGlueStickConfig(
    input_dim=32, descriptor_dim=64, num_layers=4, num_heads=2, line_layers=()
)


@torch.no_grad()
def test_added_line_layers_change_nothing():
    network = randomize(LightGlueStick(SMALL), scale=0.3)
    pair = matching_pair(14, 8, 6)
    extended = add_line_layers(network, (1, 3))
    assert extended.config.line_layers == (1, 3)
    assert not extended.training
    added = extended.state_dict().keys() - network.state_dict().keys()
    assert {key.rsplit(".line_layer", 1)[0] for key in added} == {
        "transformers.1",
        "transformers.3",
    }
    expected, actual = network(*pair), extended(*pair)
    for name, value in vars(expected).items():
        same = value is None or torch.equal(value, getattr(actual, name))
        assert same, name
    assert add_line_layers(extended, (0,)).config.line_layers == (0, 1, 3)
    with pytest.raises(ValueError, match="layers from 0 to 3"):
        add_line_layers(network, (4,))
