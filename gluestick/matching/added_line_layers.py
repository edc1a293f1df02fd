"""Networks with more layers that pass messages along the lines, for training them."""

from collections.abc import Sequence
from dataclasses import replace

from gluestick.matching.lightgluestick import LightGlueStick


def add_line_layers(network: LightGlueStick, layers: Sequence[int]) -> LightGlueStick:
    """Return a network with more line layers and the same outputs.

    Args:
        network: The network to extend; it is not changed.
        layers: The layers that get a line layer, which starts as the identity; those that
            have one keep it.

    Returns:
        A new network on the same device, in the same mode.

    Raises:
        ValueError: If there is no such layer.
    """
    present = {
        layer
        for layer, transformer in enumerate(network.transformers)
        if transformer.line_layer is not None
    }
    config = replace(network.config, line_layers=tuple(sorted(present | set(layers))))
    extended = LightGlueStick(config)
    extended.load_state_dict(extended.state_dict() | network.state_dict())
    parameter = next(network.parameters())
    return extended.to(parameter.device, parameter.dtype).train(network.training)
