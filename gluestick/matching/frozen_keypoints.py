"""A layer of LightGlueStick in training, while keypoints stay as they are.

With one-way attention keypoints do not depend on junctions. As long as nothing of their part is
trained, they need no gradients, and these pass through the junctions alone.
"""

from dataclasses import replace

import torch
from torch import Tensor

from gluestick.matching.layers.attention import KeysAndValues, attend
from gluestick.matching.layers.transformer_layer import TransformerLayer
from gluestick.matching.tokens import Tokens


def layer_with_frozen_keypoints(
    layer: TransformerLayer, tokens0: Tokens, tokens1: Tokens
) -> tuple[Tokens, Tokens]:
    """Return what the layer returns, through which gradients reach junctions only.

    Args:
        layer: A layer with one-way attention.
        tokens0: The tokens of the images 0.
        tokens1: The tokens of the images 1.
    """
    assert layer.one_way
    junctions0, keypoints0 = _within(layer, tokens0)
    junctions1, keypoints1 = _within(layer, tokens1)
    cross = layer.cross_attn
    with torch.no_grad():
        known0, known1 = cross.keys_and_values(keypoints0), cross.keys_and_values(keypoints1)
        mask0, mask1 = _keypoints(tokens0), _keypoints(tokens1)
        keypoints0, keypoints1 = (
            cross.update(attend(known0.keys, *known1, mask=mask1), keypoints0),
            cross.update(attend(known1.keys, *known0, mask=mask0), keypoints1),
        )
    own0, own1 = cross.keys_and_values(junctions0), cross.keys_and_values(junctions1)
    junctions0, junctions1 = (
        cross.update(attend(own0.keys, *_joined(own1, known1), mask=tokens1.mask), junctions0),
        cross.update(attend(own1.keys, *_joined(own0, known0), mask=tokens0.mask), junctions1),
    )
    return (
        replace(tokens0, x=torch.cat([junctions0, keypoints0], dim=1)),
        replace(tokens1, x=torch.cat([junctions1, keypoints1], dim=1)),
    )


def _within(layer: TransformerLayer, tokens: Tokens) -> tuple[Tensor, Tensor]:
    """Return junctions and keypoints after self attention and messages along the lines."""
    block, number = layer.self_attn, tokens.num_junctions
    junctions, keypoints = tokens.x.tensor_split((number,), dim=1)
    rotary, rotary_keypoints = tokens.rotary.tensor_split((number,), dim=2)
    with torch.no_grad():
        query, key, value = block.project(keypoints, rotary_keypoints)
        known = KeysAndValues(key, value)
        context = attend(query, *known, mask=_keypoints(tokens))
        keypoints = block.update(context, keypoints)
    query, key, value = block.project(junctions, rotary)
    own = _joined(KeysAndValues(key, value), known)
    junctions = block.update(attend(query, *own, mask=tokens.mask), junctions)
    if layer.line_layer is not None and number > 0:
        junctions = layer.line_layer(junctions, rotary, tokens.edge_index)
    return junctions, keypoints


def _joined(first: KeysAndValues, second: KeysAndValues) -> KeysAndValues:
    return KeysAndValues(*(torch.cat(parts, dim=1) for parts in zip(first, second, strict=True)))


def _keypoints(tokens: Tokens) -> Tensor | None:
    """Return which keypoints are real, None for all."""
    return None if tokens.mask is None else tokens.mask[:, tokens.num_junctions :]
