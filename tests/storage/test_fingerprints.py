from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from gluestick.pipeline import PointLineMatcher
from gluestick.storage.fingerprints import (
    arrays_fingerprint,
    file_fingerprint,
    fingerprint,
    weights_fingerprint,
)
from gluestick.viewpoint.turns.relative_turn import RelativeTurnConfig
from gluestick.wireframe.build import WireframeConfig


def test_the_fingerprint_tells_weights_and_options_apart() -> None:
    def network(seed: int, slope: float) -> nn.Module:
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(3, 2), nn.LeakyReLU(slope))

    first = fingerprint(network(0, 0.1))
    assert len(first) == 16
    assert fingerprint(network(0, 0.1)) == first
    assert fingerprint(network(1, 0.1)) != first
    assert fingerprint(network(0, 0.2)) != first
    assert fingerprint(network(0, 1)) == fingerprint(network(0, 1.0))
    assert fingerprint(network(0, 0.1).train()) == fingerprint(network(0, 0.1).eval())


def test_the_fingerprint_tells_votes_on_turns_apart() -> None:
    def matcher(config: RelativeTurnConfig) -> PointLineMatcher:
        return PointLineMatcher(
            extractor=None,
            wireframe=WireframeConfig(),
            network=nn.Identity(),
            rotation="auto",
            relative_turn=config,
        )

    first = fingerprint(matcher(RelativeTurnConfig()))
    assert fingerprint(matcher(RelativeTurnConfig())) == first
    assert fingerprint(matcher(RelativeTurnConfig(min_inliers=20))) != first


def test_weights_alone() -> None:
    def network(seed: int, slope: float = 0.1) -> nn.Module:
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(3, 2), nn.LeakyReLU(slope))

    first = weights_fingerprint(network(0))
    assert weights_fingerprint(network(0, 0.2)) == first
    assert weights_fingerprint(network(1)) != first
    assert weights_fingerprint(object()) != weights_fingerprint("")


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"content")
    first = file_fingerprint(path)
    assert len(first) == 16
    path.write_bytes(b"contenu")
    assert file_fingerprint(path) != first
    with pytest.raises(OSError, match="nowhere"):
        file_fingerprint(tmp_path / "nowhere")


def test_arrays() -> None:
    arrays = {"a": np.arange(6).reshape(2, 3), "b": np.zeros(2)}
    first = arrays_fingerprint(arrays)
    assert arrays_fingerprint(dict(reversed(arrays.items()))) == first
    for other in (
        {"a": arrays["a"]},
        arrays | {"a": arrays["a"].reshape(3, 2)},
        arrays | {"a": arrays["a"].astype(np.int32)},
        arrays | {"b": np.ones(2)},
        {},
    ):
        assert arrays_fingerprint(other) != first
