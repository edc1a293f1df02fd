import pytest
import torch
from rendered_edges import half_plane, rectangle

from gluestick.features.lines.lsd import LSD, LSDConfig


def test_the_order_of_endpoints_tells_the_polarity() -> None:
    up = LSD().detect(half_plane(40.2)).lines[0]
    down = LSD().detect(half_plane(40.2, dark=0.8, bright=0.2)).lines[0]
    torch.testing.assert_close(up, down.flip(0), atol=0.05, rtol=0)


def test_significance_counts_pixels_and_contrast_does_not() -> None:
    faint = 0.1 * rectangle(left=10, top=10, right=90, bottom=50)
    image = faint + 0.5 * rectangle(left=30, top=65, right=60, bottom=90)
    ranks = {}
    for saliency in ("contrast", "nfa"):
        lines = LSD(LSDConfig(saliency=saliency)).detect(image).lines
        lengths = (lines[:, 0] - lines[:, 1]).norm(dim=1)
        ranks[saliency] = int(lengths.argmax())  # the long sides are the faint ones
    assert ranks["nfa"] < ranks["contrast"]


def test_standard_refinement_finds_at_least_as_many() -> None:
    image = torch.rand(3, 120, 120, generator=torch.Generator().manual_seed(0))
    image[:, 30:90, 30:90] += 0.4
    image = image.clamp(0, 1)
    advanced = LSD(LSDConfig(min_length=0.0)).detect(image)
    standard = LSD(LSDConfig(refine="std", min_length=0.0)).detect(image)
    assert len(standard.lines) > len(advanced.lines)


def test_bad_options_are_refused() -> None:
    with pytest.raises(ValueError, match="refine needs to be one of"):
        LSDConfig(refine="best")
    with pytest.raises(ValueError, match="saliency needs to be one of"):
        LSDConfig(saliency="length")
    with pytest.raises(ValueError, match="saliency='nfa' needs refine='adv'"):
        LSDConfig(refine="std", saliency="nfa")
    with pytest.raises(ValueError, match="max_num_lines needs to be at least 1"):
        LSDConfig(max_num_lines=-3)
