from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peers.checks import assert_batch_gives_singles, assert_consistent
from peers.wireframes import random_wireframe

from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.lightgluestick_config import LightGlueStickConfig
from gluestick.peers.lightglue import KorniaLightGlue, KorniaLightGlueConfig
from gluestick.types import Wireframe

DIM = 16


@pytest.fixture(scope="module")
def matcher() -> KorniaLightGlue:
    """A network at random that tells descriptors apart and matches some of them."""
    torch.manual_seed(0)
    matcher = KorniaLightGlue(KorniaLightGlueConfig(input_dim=DIM, filter_threshold=0.05))
    with torch.no_grad():
        matcher.network.input_proj.weight.mul_(10)
        for head in matcher.network.log_assignment:
            head.final_proj.weight.copy_(4 * torch.eye(256))
            head.matchability.bias.fill_(3)
    return matcher


@pytest.fixture
def pair() -> tuple[Wireframe, Wireframe]:
    """Two wireframes with the same keypoints in another order, and with lines."""
    wireframe0, wireframe1 = random_wireframe(40, 5, seed=0), random_wireframe(30, 3, seed=1)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(2))[:30] + 10
    descriptors, keypoints = wireframe1.descriptors.clone(), wireframe1.keypoints.clone()
    descriptors[:, 6:] = wireframe0.descriptors[:, order]
    keypoints[:, 6:] = wireframe0.keypoints[:, order]
    return wireframe0, replace(wireframe1, descriptors=descriptors, keypoints=keypoints)


def test_gives_what_kornia_gives(
    matcher: KorniaLightGlue, pair: tuple[Wireframe, Wireframe]
) -> None:
    inputs = {
        f"image{side}": {
            "keypoints": wireframe.keypoints[:, first:],
            "descriptors": wireframe.descriptors[:, first:],
            "image_size": wireframe.image_size,
        }
        for side, wireframe, first in ((0, pair[0], 10), (1, pair[1], 6))
    }
    with torch.no_grad():
        expected = matcher.network(inputs)
        matches = matcher(*pair)
    wanted = expected["matches0"]
    assert (wanted > -1).sum() >= 10
    assert torch.equal(matches.matches0[:, 10:], torch.where(wanted > -1, wanted + 6, -1))
    wanted = expected["matches1"]
    assert torch.equal(matches.matches1[:, 6:], torch.where(wanted > -1, wanted + 10, -1))
    assert torch.equal(matches.matching_scores0[:, 10:], expected["matching_scores0"])
    assert torch.equal(matches.matching_scores1[:, 6:], expected["matching_scores1"])
    assert torch.equal(matches.log_assignment[:, 10:, 6:], expected["log_assignment"])
    assert (matches.line_matches0 == -1).all()
    assert_consistent(matches, *pair)


def test_a_batch_gives_what_the_pairs_give(
    matcher: KorniaLightGlue, pair: tuple[Wireframe, Wireframe]
) -> None:
    few = random_wireframe(1, 0, seed=3), random_wireframe(9, 2, seed=4)
    none = random_wireframe(0, 2, seed=5), random_wireframe(4, 0, seed=6)
    with torch.no_grad():
        assert_batch_gives_singles(matcher, [pair, few, none])


def test_nothing_to_match(matcher: KorniaLightGlue) -> None:
    empty = random_wireframe(0, 0, seed=0)
    matches = matcher(empty, empty)
    assert matches.matches0.shape == (1, 0)
    assert matches.log_assignment.shape == (1, 1, 1)
    matches = matcher(random_wireframe(4, 1, seed=0), empty)
    assert matches.matches0.tolist() == [[-1] * 6]
    assert matches.log_assignment.shape == (1, 7, 1)


def test_corners_of_turned_images_may_lie_outside(
    matcher: KorniaLightGlue, pair: tuple[Wireframe, Wireframe]
) -> None:
    keypoints = pair[0].keypoints.clone()
    keypoints[0, 10] = torch.tensor([-60.0, 200.0])
    outside = replace(pair[0], keypoints=keypoints)
    enlarged = replace(
        outside,
        keypoints=keypoints + torch.tensor([60.0, 0.0]),
        image_size=pair[0].image_size + torch.tensor([120, 0]),
    )
    with torch.no_grad():
        found, expected = (matcher(wireframe, pair[1]) for wireframe in (outside, enlarged))
    torch.testing.assert_close(found.log_assignment, expected.log_assignment)


def test_keypoints_may_lie_on_the_border(
    matcher: KorniaLightGlue, pair: tuple[Wireframe, Wireframe]
) -> None:
    keypoints = pair[0].keypoints.clone()
    keypoints[0, 10:12] = torch.tensor([[-0.49, -0.49], [639.49, 479.49]])
    on_border = replace(pair[0], keypoints=keypoints)
    keypoints = keypoints.clone()
    keypoints[0, 10] = 0
    with torch.no_grad():
        moved = matcher(replace(pair[0], keypoints=keypoints), pair[1])
        torch.testing.assert_close(matcher(on_border, pair[1]).log_assignment, moved.log_assignment)


@pytest.mark.parametrize("enabled", [True, False])
def test_the_attention_setting_of_the_process_stays(enabled: bool) -> None:
    before = torch.backends.cuda.flash_sdp_enabled()
    try:
        torch.backends.cuda.enable_flash_sdp(enabled)
        KorniaLightGlue()
        assert torch.backends.cuda.flash_sdp_enabled() is enabled
    finally:
        torch.backends.cuda.enable_flash_sdp(before)


def test_weights_in_the_published_layout_are_loaded_strictly(
    matcher: KorniaLightGlue, pair: tuple[Wireframe, Wireframe], tmp_path: Path
) -> None:
    """Files number the attention blocks by kind; DISK's has entries that nothing uses."""
    state_dict = matcher.network.state_dict()
    del state_dict["confidence_thresholds"]
    published = {}
    for key, value in state_dict.items():
        parts = key.split(".")
        if parts[0] == "transformers":
            key = ".".join([parts[2], parts[1], *parts[3:]])
        published[key] = value
    published |= {f"log_assignment.{layer}.r": torch.ones(1) for layer in range(9)}
    torch.save(published, tmp_path / "weights.pth")
    loaded = KorniaLightGlue.from_pretrained(matcher.config, weights=tmp_path / "weights.pth")
    with torch.no_grad():
        expected, found = matcher(*pair), loaded(*pair)
    assert torch.equal(found.log_assignment, expected.log_assignment)

    del published["posenc.Wr.weight"]
    torch.save(published, tmp_path / "less.pth")
    with pytest.raises(ValueError, match=r"1 missing: posenc\.Wr\.weight"):
        KorniaLightGlue.from_pretrained(matcher.config, weights=tmp_path / "less.pth")
    with pytest.raises(ValueError, match="no checkpoint file"):
        KorniaLightGlue.from_pretrained(weights=tmp_path / "none.pth")


def test_our_network_gives_the_same_point_matches(
    matcher: KorniaLightGlue, pair: tuple[Wireframe, Wireframe]
) -> None:
    """With the same weights the default model's points are LightGlue's."""
    own = LightGlueStick(
        LightGlueStickConfig(input_dim=DIM, line_layers=(), filter_threshold=0.05)
    ).eval()
    shared = matcher.network.state_dict()
    del shared["confidence_thresholds"]
    own.load_state_dict({**own.state_dict(), **shared})
    with torch.no_grad():
        expected, found = matcher(*pair), own(*pair)
    assert torch.equal(found.matches0, expected.matches0)
    torch.testing.assert_close(
        found.matching_scores0, expected.matching_scores0, atol=1e-4, rtol=1e-3
    )


def test_descriptors_of_another_size_are_an_error(matcher: KorniaLightGlue) -> None:
    wireframe = random_wireframe(3, 0, dim=8, seed=0)
    with pytest.raises(ValueError, match="descriptors of size 16"):
        matcher(wireframe, wireframe)
