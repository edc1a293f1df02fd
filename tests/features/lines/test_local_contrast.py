import numpy as np
import pytest
import torch
from rendered_edges import rectangle

from gluestick.features.lines.local_contrast import even_contrast
from gluestick.features.lines.lsd import LSD, LSDConfig


@pytest.fixture
def textured():
    rng = np.random.default_rng(0)
    return rng.integers(40, 216, (240, 320), dtype=np.uint8).repeat(2, 0).repeat(2, 1)


def test_an_image_of_even_contrast_is_left_as_it_is(textured):
    assert even_contrast(textured) is textured


def test_only_the_faint_part_is_stretched(textured):
    faint = textured.copy()
    faint[:, :320] = 100 + 0.05 * (textured[:, :320] - 128.0)
    stretched = even_contrast(faint).astype(float)
    assert (stretched[:, 500:] == faint[:, 500:]).all()
    inside = stretched[:, 40:140]
    assert inside.std() == pytest.approx(5 * faint[:, 40:140].std(), rel=0.05)
    assert inside.mean() == pytest.approx(faint[:, 40:140].mean(), abs=1)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (7, 3), (64, 64)])
@pytest.mark.parametrize("value", [0, 90, 255])
def test_blank_images_of_any_size_stay_blank(size, value):
    blank = np.full(size, value, np.uint8)
    assert (even_contrast(blank) == blank).all()


def test_lines_in_shadow_are_found_and_rank_by_their_own_contrast():
    bright = rectangle(left=8, top=20, right=40, bottom=70)
    shadow = 0.02 * rectangle(left=60, top=20, right=92, bottom=70)
    image = (0.3 + 0.5 * bright + shadow).clamp(0, 1)
    stretched, plain = (
        LSD(LSDConfig(local_contrast=follows)).detect(image).lines for follows in (True, False)
    )
    assert (plain[..., 0].mean(dim=1) < 50).all()
    in_shadow = stretched[..., 0].mean(dim=1) > 50
    ranks = torch.arange(len(stretched))
    assert in_shadow.sum() >= 2
    assert ranks[in_shadow].min() > ranks[~in_shadow].max()


def test_single_steps_of_the_grey_values_are_no_lines():
    image = torch.full((3, 120, 160), 100 / 255)
    image[..., 80:] = 101 / 255
    assert len(LSD().detect(image).lines) == 0
