import pytest
import torch
from matching.wireframes import matching_pair, randomize

from gluestick.matching.gluestick import GlueStick, GlueStickConfig
from gluestick.training.validation import matching_figures, matching_pictures
from gluestick.types import GroundTruth

CONFIG = GlueStickConfig(
    input_dim=32, descriptor_dim=32, keypoint_encoder=(8, 16), num_layers=1, filter_threshold=0.0
)


@torch.no_grad()
def test_figures_of_a_truth_that_was_found_or_not() -> None:
    pair = matching_pair(8, 6, 5)
    matches = randomize(GlueStick(CONFIG)).eval()(*pair)
    assert (matches.matches0 > -1).any()
    truth = GroundTruth(
        gt_matches0=matches.matches0,
        gt_matches1=matches.matches1,
        gt_line_matches0=torch.full_like(matches.line_matches0, -1),
        gt_line_matches1=torch.full_like(matches.line_matches1, -2),
    )
    figures = matching_figures([(matches, truth), (matches, truth)])
    assert figures["points/precision"] == figures["points/recall"] == 1
    assert figures["points/ap"] == pytest.approx(1)
    assert figures["lines/ap"] == figures["lines/precision"] == figures["lines/recall"] == 0
    pictures = matching_pictures(*pair, matches)
    assert {*pictures} == {"points", "lines"}
    assert all(picture.shape[2] == 3 and picture.max() > 100 for picture in pictures.values())
