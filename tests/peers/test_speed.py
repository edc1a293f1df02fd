"""Speed against kornia's networks in one process, by processor time, with generous margins."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from peers.wireframes import make_wireframe

from gluestick.features.points.aliked import Aliked, AlikedConfig
from gluestick.images.load import load_image
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.lightgluestick_config import LightGlueStickConfig
from gluestick.peers.lightglue import KorniaLightGlue, KorniaLightGlueConfig
from gluestick.storage.parameters import read_parameters
from gluestick.weights import shipped_path

ROUNDS = 3
DIM = 128


def ratio_of_times(ours: Callable[[], object], theirs: Callable[[], object]) -> float:
    """Return by how much ours is faster: the least processor times of rounds in turns."""
    least = {ours: float("inf"), theirs: float("inf")}
    for _ in range(ROUNDS):
        for call in least:
            start = time.process_time()
            call()
            least[call] = min(least[call], time.process_time() - start)
    return least[theirs] / least[ours]


@torch.no_grad()
def test_the_matcher_is_about_as_fast_as_lightglue() -> None:
    generator = torch.Generator().manual_seed(0)
    descriptors = F.normalize(torch.randn(2, 400, DIM, generator=generator), dim=-1)
    pair = [make_wireframe(own, seed=seed) for seed, own in enumerate(descriptors)]
    own = LightGlueStick(LightGlueStickConfig(input_dim=DIM, line_layers=())).eval()
    peer = KorniaLightGlue(KorniaLightGlueConfig(input_dim=DIM))
    assert ratio_of_times(lambda: own(*pair), lambda: peer(*pair)) > 0.9


@torch.no_grad()
def test_the_detector_is_faster_than_kornias(assets: Path) -> None:
    kornia = pytest.importorskip("kornia.feature")
    if not hasattr(kornia, "ALIKED"):
        pytest.skip("this kornia has no ALIKED")
    image = load_image(assets / "leuven_a.jpg")[:, 100:388, 100:484]
    weights = shipped_path("aliked-n16.safetensors")
    peer = kornia.ALIKED("aliked-n16").eval()
    peer.load_state_dict(read_parameters(weights)[0], strict=False)
    own = Aliked.from_pretrained(AlikedConfig(max_num_keypoints=1024, detection_threshold=0.2))
    assert ratio_of_times(lambda: own.detect(image), lambda: peer(image[None])) > 2
