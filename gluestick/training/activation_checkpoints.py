"""Less memory for more time: layers that are computed again where their gradients are needed."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from gluestick.matching.layers.attention import AttentionalPropagation
from gluestick.matching.layers.transformer_layer import TransformerLayer

_LAYERS = (TransformerLayer, AttentionalPropagation)


def checkpoint_activations(module: nn.Module) -> int:
    """Have the layers of both networks keep nothing but their inputs until the backward pass.

    Results stay the same, to the last bit on the CPU; statistics of batch normalisation move
    once for each step.

    Args:
        module: A module with layers of a network somewhere within; it is changed.

    Returns:
        How many layers were found.
    """
    layers = [layer for layer in module.modules() if isinstance(layer, _LAYERS)]
    for layer in layers:
        layer.forward = partial(  # type: ignore[method-assign]
            checkpoint,
            layer.forward,
            use_reentrant=False,
            context_fn=partial(_contexts, layer),
        )
    return len(layers)


def _contexts(
    layer: nn.Module,
) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    return nullcontext(), _still_statistics(layer)


@contextmanager
def _still_statistics(layer: nn.Module) -> Iterator[None]:
    """Keep the statistics of batch normalisation as the first pass left them."""
    norms = [norm for norm in layer.modules() if isinstance(norm, _BatchNorm)]
    kept = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
        norm.num_batches_tracked = None
    try:
        yield
    finally:
        for norm, (momentum, number) in zip(norms, kept, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, number
