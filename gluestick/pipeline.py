"""From two images to matches, in one object."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from gluestick.features.extractor import FeatureExtractor
from gluestick.features.lines.given import LineArray, check_lines
from gluestick.features.points.registry import lacks_weights
from gluestick.images.load import as_image
from gluestick.matching.checkpoints import (
    is_lightglue,
    lightgluestick_from_lightglue,
    read_checkpoint,
)
from gluestick.matching.gluestick import GlueStick
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.protocols import MatchingNetwork
from gluestick.pretrained import (
    DEFAULT_MODEL,
    ModelCard,
    PipelineConfig,
    model_card,
    with_budgets,
    with_detector_weights,
)
from gluestick.storage.parameters import load_strict, read_parameters
from gluestick.timing import NO_TIMES, StageTimer
from gluestick.types import Lines, Matches, Wireframe
from gluestick.viewpoint.pair_view import ImageBatch, Rotation, check_rotation, match_turned
from gluestick.viewpoint.relative_turn import RelativeTurnConfig
from gluestick.viewpoint.turn_search import TurnSearchConfig
from gluestick.viewpoint.wireframe_view import turn_wireframe
from gluestick.weights import shipped_path
from gluestick.wireframe.build import WireframeConfig, build_wireframe
from gluestick.wireframe.collate import stack_wireframes

Image = Tensor | np.ndarray
OneOrMoreImages = Image | Sequence[Image]
OneOrMoreMasks = Image | Sequence[Image | None]
OneOrMoreLines = Lines | Image | Sequence[Lines | LineArray | None]


class PointLineMatcher(nn.Module):
    """Matches the keypoints and the line segments of two images.

    Args:
        extractor: Detects and describes; None for a matcher that is only given wireframes.
        wireframe: How features become a graph.
        network: Maps two wireframes to matches.
        rotation: How the turn of the second image against the first is found; see
            :data:`gluestick.viewpoint.pair_view.Rotation`.
        relative_turn: The options of the vote on that turn.
        turn_search: The options of the search for pairs on which the vote does not help.
    """

    _anchor: Tensor
    """Moves along with the module, which tells its device where nothing has parameters."""

    def __init__(
        self,
        *,
        extractor: FeatureExtractor | None,
        wireframe: WireframeConfig,
        network: MatchingNetwork,
        rotation: Rotation = "none",
        relative_turn: RelativeTurnConfig | None = None,
        turn_search: TurnSearchConfig | None = None,
    ) -> None:
        super().__init__()
        self.extractor = extractor
        self.wireframe = wireframe
        self.network = network
        self.rotation = check_rotation(rotation)
        self.relative_turn = relative_turn or RelativeTurnConfig()
        self.turn_search = turn_search or TurnSearchConfig()
        self.register_buffer("_anchor", torch.zeros(0), persistent=False)

    @classmethod
    def from_pretrained(
        cls,
        name: str = DEFAULT_MODEL,
        *,
        weights: str | Path | None = None,
        detector_weights: str | Path | None = None,
        config: PipelineConfig | None = None,
        max_num_keypoints: int | None = None,
        max_num_lines: int | None = None,
    ) -> "PointLineMatcher":
        """Load a named model. Nothing is downloaded.

        Args:
            name: The name of a model; :data:`gluestick.pretrained.MODELS` lists them.
            weights: A file of network weights, for models whose weights are not shipped, or
                to take the place of those that are.
            detector_weights: A file of point detector weights, for detectors whose weights
                are not shipped.
            config: The whole configuration in place of the model's.
            max_num_keypoints: How many keypoints are kept per image.
            max_num_lines: How many line segments are kept per image.

        Returns:
            The matcher in evaluation mode on the CPU. Where the detector's weights are missing
            it still matches wireframes, and says what is missing when it is given images.

        Raises:
            ValueError: If there is no such model, its weights are not shipped and none are
                given, or a file is unreadable or does not fit.
        """
        card = model_card(name)
        config = with_budgets(
            config or card.config,
            max_num_keypoints=max_num_keypoints,
            max_num_lines=max_num_lines,
        )
        if detector_weights is not None:
            config = with_detector_weights(config, str(detector_weights))
        _check_detector(card, config, own_weights=weights is not None)
        network = build_network(config)
        _load_weights(network, _weights_path(card, weights), line_head=card.line_head)
        incomplete = lacks_weights(config.features.points)
        extractor = None if incomplete else FeatureExtractor(config.features)
        return cls(
            extractor=extractor,
            wireframe=config.wireframe,
            network=network,
            rotation=config.rotation,
            relative_turn=config.relative_turn,
            turn_search=config.turn_search,
        ).eval()

    @property
    def device(self) -> torch.device:
        """Where the network runs, and where wireframes are matched."""
        modules = [part for part in (self.network, self) if isinstance(part, nn.Module)]
        parameters = (parameter for module in modules for parameter in module.parameters())
        return next(parameters, self._anchor).device

    @torch.no_grad()
    def extract(
        self,
        images: OneOrMoreImages,
        *,
        masks: OneOrMoreMasks | None = None,
        lines: OneOrMoreLines | None = None,
        turns: Sequence[float] | None = None,
        timer: StageTimer | None = None,
    ) -> Wireframe:
        """Detect and describe, once per image, what :meth:`match` needs.

        Args:
            images: One image or a sequence of B images, which may differ in size: tensors
                [3, H, W] or [1, H, W] in [0, 1], or arrays [H, W] or [H, W, 3] of integers or
                of floats in [0, 1]; or a tensor [B, 3, H, W].
            masks: For each image [H, W] bool or None; keypoints and detected segments lie
                only where it is True.
            lines: For each image segments of your own, an array [L, 2, 2] or [L, 4] px, or
                None to detect them.
            turns: For each image how far it is turned before anything is detected, degrees from
                the x towards the y axis (clockwise as seen); what is found is mapped back. Give
                the same turns to :meth:`match`.
            timer: Where the seconds of the stages are added up.

        Returns:
            The wireframes of the batch.

        Raises:
            ValueError: If an image is not one, the numbers of images, masks and lines differ,
                or the model's detector has no weights.
        """
        if self.extractor is None:
            raise ValueError(
                "the weights of the model's point detector are not shipped: name their file "
                "with detector_weights= (--detector-weights)"
            )
        timer = timer or NO_TIMES
        batch = _as_batch(images, masks, lines)
        wireframes = []
        for features in self.extractor.each(
            batch.images, masks=batch.masks, lines=batch.lines, turns=turns, timer=timer
        ):
            with timer.stage("wireframe"):
                wireframes.append(build_wireframe(features, config=self.wireframe))
            del features  # and with them the dense maps of the image
        return stack_wireframes(wireframes, padded=False)

    def match(
        self,
        wireframe0: Wireframe,
        wireframe1: Wireframe,
        *,
        turns0: Sequence[float] | None = None,
        turns1: Sequence[float] | None = None,
        timer: StageTimer | None = None,
    ) -> Matches:
        """Match two batches of wireframes, pair by pair.

        Args:
            wireframe0: The wireframes of the images 0, on any device.
            wireframe1: The wireframes of the images 1, as many.
            turns0: The turns with which the wireframes 0 were extracted, if there were any.
            turns1: The same for the wireframes 1.
            timer: Where the seconds of the stage "matching" are added up.

        Returns:
            The matches, on the matcher's device.

        Raises:
            ValueError: If the batches, the turns or the descriptors do not fit.
        """
        wireframe0 = turn_wireframe(wireframe0, turns=turns0)
        wireframe1 = turn_wireframe(wireframe1, turns=turns1)
        with torch.no_grad(), (timer or NO_TIMES).stage("matching"):
            return self.network(wireframe0.to(self.device), wireframe1.to(self.device))

    def forward(
        self,
        image0: OneOrMoreImages,
        image1: OneOrMoreImages,
        *,
        mask0: OneOrMoreMasks | None = None,
        mask1: OneOrMoreMasks | None = None,
        lines0: OneOrMoreLines | None = None,
        lines1: OneOrMoreLines | None = None,
        timer: StageTimer | None = None,
    ) -> tuple[Wireframe, Wireframe, Matches]:
        """Match two images, or a batch of pairs of images.

        Args:
            image0: One image or a sequence of B images; see :meth:`extract`.
            image1: As many.
            mask0: Masks for the images 0.
            mask1: Masks for the images 1.
            lines0: Segments of your own for the images 0.
            lines1: Segments of your own for the images 1.
            timer: Where the seconds of the stages "rotation", "keypoints", "lines", "wireframe"
                and "matching" are added up.

        Returns:
            The wireframes of both sides and the matches between them.

        Raises:
            ValueError: See :meth:`extract` and :meth:`match`.
        """
        timer = timer or NO_TIMES
        wireframe0 = self.extract(image0, masks=mask0, lines=lines0, timer=timer)
        if self.rotation == "none":
            wireframe1 = self.extract(image1, masks=mask1, lines=lines1, timer=timer)
            matches = self.match(wireframe0, wireframe1, timer=timer)
        else:
            batch0, batch1 = _as_batch(image0, mask0, None), _as_batch(image1, mask1, lines1)
            wireframe1, matches = match_turned(self, wireframe0, batch0, batch1, timer=timer)
        return wireframe0, wireframe1, matches


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
    network: GlueStick | LightGlueStick, path: Path, *, line_head: str | None
) -> None:
    state_dict, _ = read_checkpoint(path)
    if isinstance(network, LightGlueStick):
        if is_lightglue(state_dict):
            state_dict = lightgluestick_from_lightglue(state_dict)
        if line_head is not None and network.config.line_head == "guided":
            state_dict = read_parameters(shipped_path(line_head))[0] | state_dict
    load_strict(network, state_dict, source=path)


def _weights_path(card: ModelCard, weights: str | Path | None) -> Path:
    if weights is not None:
        return Path(weights)
    if card.weights is None:
        raise ValueError(
            f"the weights of {card.name} are not shipped ({card.licence}): name their file with "
            f"weights= (--weights); they come from {card.origin}"
        )
    return shipped_path(card.weights)


def _as_batch(
    images: OneOrMoreImages, masks: OneOrMoreMasks | None, lines: OneOrMoreLines | None
) -> ImageBatch:
    return ImageBatch(
        images=[as_image(image) for image in _as_list(images)],
        masks=None if masks is None else [_as_mask(mask) for mask in _as_list(masks)],
        lines=None if lines is None else [_as_lines(own) for own in _as_list(lines)],
    )


def _as_list(values: OneOrMoreImages | OneOrMoreMasks | OneOrMoreLines) -> list:
    """Return the entries of a batch, or the only one in a list."""
    if isinstance(values, Lines) or (isinstance(values, Image) and values.ndim < 4):
        return [values]
    return list(values)


def _as_mask(mask: Image | None) -> Tensor | None:
    return None if mask is None else torch.as_tensor(mask) != 0


def _as_lines(lines: Lines | LineArray | None) -> Lines | None:
    return lines if lines is None or isinstance(lines, Lines) else check_lines(lines)
