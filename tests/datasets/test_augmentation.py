import numpy as np
import pytest
import torch
from rendered_scenes import patchwork

from gluestick.datasets.augmentation import DEFAULT_CHANCES, Augmentation, AugmentationConfig


@pytest.mark.parametrize("name", DEFAULT_CHANCES)
def test_each_change_alone(name: str) -> None:
    image = patchwork(48, 64)
    chances = {other: float(other == name) for other in DEFAULT_CHANCES}
    augment = Augmentation(AugmentationConfig(probability=1.0, chances=chances))
    state = torch.random.get_rng_state()
    first, again, other = (augment(image, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert first.shape == image.shape
    assert first.min() >= 0
    assert first.max() <= 1
    assert torch.equal(first, again)
    assert not torch.equal(first, image)
    assert name == "gray" or not torch.equal(first, other)


def test_nothing_changes_without_a_chance() -> None:
    image = patchwork(48, 64)
    augment = Augmentation(AugmentationConfig(probability=0.0))
    assert torch.equal(augment(image, np.random.default_rng(0)), image)


def test_errors() -> None:
    with pytest.raises(ValueError, match="'snow'"):
        AugmentationConfig(chances={"snow": 0.5})
    with pytest.raises(ValueError, match="jpeg"):
        AugmentationConfig(chances={"jpeg": 1.5})
