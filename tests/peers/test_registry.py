import shutil
from pathlib import Path

import pytest
import torch
from kornia.feature import DISK
from peers.checks import assert_consistent
from torch import Tensor

from gluestick.features.points.xfeat import XFeat
from gluestick.peers import PEERS, load_peer, peer_card
from gluestick.peers.lightglue import KorniaLightGlue
from gluestick.pretrained import MODELS
from gluestick.timing import StageTimer

LINE_PEERS = {"endpoint-descriptors+mutual-nn", "lbd"}


@pytest.fixture(scope="session")
def random_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files like those that the peers need, with random numbers."""
    folder = tmp_path_factory.mktemp("peers")
    torch.manual_seed(0)
    lightglue = KorniaLightGlue().network.state_dict()
    torch.save(lightglue, folder / "aliked_lightglue.pth")
    shutil.copy(folder / "aliked_lightglue.pth", folder / "disk_lightglue.pth")
    torch.save(DISK().state_dict(), folder / "disk-depth-save.pth")
    torch.save(XFeat().network.state_dict(), folder / "xfeat.pt")
    return folder


@pytest.fixture(scope="session")
def small_pair(leuven: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return leuven[0][:, ::3, ::3].contiguous(), leuven[1][:, ::3, ::3].contiguous()


def test_names_do_not_collide_and_every_card_is_filled_in() -> None:
    assert not PEERS.keys() & MODELS.keys()
    for name, card in PEERS.items():
        assert card.name == name
        assert card.summary
        assert card.licence
        assert card.origin
        has_lines = card.config.features.lines.name != "none"
        assert has_lines == (name in LINE_PEERS)
        assert card.config.view == "none"
        assert card.matching.__class__.__name__ != "KorniaLightGlueConfig" or card.needs_weights


@pytest.mark.parametrize("name", PEERS)
def test_matches_photographs_within_the_budgets(
    name: str, random_weights: Path, small_pair: tuple[Tensor, Tensor]
) -> None:
    peer = load_peer(name, weights_dir=random_weights, max_num_keypoints=50, max_num_lines=20)
    assert not peer.training
    timer = StageTimer()
    wireframe0, wireframe1, matches = peer(*small_pair, timer=timer)
    assert set(timer.seconds) == {"keypoints", "lines", "wireframe", "matching"}
    assert_consistent(matches, wireframe0, wireframe1)
    for wireframe in (wireframe0, wireframe1):
        num_keypoints = (wireframe.keypoint_mask & ~wireframe.junction_mask).sum()
        num_lines = wireframe.line_mask.sum()
        assert 0 <= num_keypoints <= 50
        assert num_lines <= 20
        assert (num_lines > 0) == (name in LINE_PEERS)
        assert (num_keypoints > 0) or name in {"lbd", "disk+lightglue", "xfeat+mutual-nn"}
    assert bool((matches.line_matches0 > -1).any()) == (name in LINE_PEERS)
    if name in {"sift+ratio", "aliked+mutual-nn", "endpoint-descriptors+mutual-nn"}:
        assert (matches.matches0 > -1).sum() >= 5
    assert peer.device.type == "cpu"


@pytest.mark.parametrize("name", ["sift+ratio", "aliked+lightglue", "lbd"])
def test_a_batch_with_a_blank_image_gives_what_the_pairs_give(
    name: str, random_weights: Path, small_pair: tuple[Tensor, Tensor]
) -> None:
    peer = load_peer(name, weights_dir=random_weights, max_num_keypoints=30, max_num_lines=15)
    pairs = [small_pair, (torch.full((3, 60, 50), 0.5), small_pair[1][:, :90])]
    _, _, batch = peer([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    for row, pair in enumerate(pairs):
        _, _, alone = peer(*pair)
        for kind in ("matches0", "line_matches0"):
            expected = getattr(alone, kind)[0]
            assert torch.equal(getattr(batch, kind)[row, : len(expected)], expected)
    assert (batch.matches0[1] == -1).all()


def test_own_lines_stay_unmatched_by_point_peers(small_pair: tuple[Tensor, Tensor]) -> None:
    peer = load_peer("sift+ratio", max_num_keypoints=50)
    lines = torch.tensor([[[10.0, 10.0], [90.0, 20.0]]])
    wireframe0, wireframe1, matches = peer(*small_pair, lines0=lines, lines1=lines)
    assert matches.line_matches0.tolist() == [[-1]]
    _, _, alone = peer(*small_pair)
    expected = alone.matches0
    assert torch.equal(matches.matches0[:, 2:], torch.where(expected > -1, expected + 2, -1))
    assert_consistent(matches, wireframe0, wireframe1)


@pytest.mark.parametrize("name", ["aliked+lightglue", "disk+lightglue", "xfeat+mutual-nn"])
def test_missing_weights_are_one_clear_error(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=rf"{tmp_path}.*make peers"):
        load_peer(name, weights_dir=tmp_path)
    monkeypatch.setenv("GLUESTICK_PEERS", str(tmp_path / "elsewhere"))
    with pytest.raises(ValueError, match=r"elsewhere.*make peers"):
        load_peer(name)
    monkeypatch.delenv("GLUESTICK_PEERS")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"needs \.peers.*make peers"):
        load_peer(name)


def test_files_may_be_named_one_by_one(random_weights: Path, tmp_path: Path) -> None:
    peer = load_peer(
        "disk+lightglue",
        weights=random_weights / "disk_lightglue.pth",
        detector_weights=random_weights / "disk-depth-save.pth",
        weights_dir=tmp_path,
    )
    assert isinstance(peer.network, KorniaLightGlue)
    with pytest.raises(ValueError, match="has no network"):
        load_peer("sift+ratio", weights=random_weights / "disk_lightglue.pth")


def test_cards_by_name() -> None:
    assert peer_card("sift+ratio") is PEERS["sift+ratio"]
    assert peer_card("vismatch:loftr").name == "vismatch:loftr"
    assert peer_card("vismatch:loftr").config.features.lines.name == "none"


def test_unknown_names_and_detectors_are_errors() -> None:
    with pytest.raises(ValueError, match=r"no peer 'unknown'.*sift\+ratio"):
        load_peer("unknown")
    with pytest.raises(ValueError, match="a model, not a peer"):
        load_peer("aliked-lsd")
    with pytest.raises(ValueError, match="needs the point detector sift, found aliked"):
        load_peer("sift+ratio", config=PEERS["aliked+mutual-nn"].config)
