"""From two images to matches, in one object."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from gluestick.features.extractor import FeatureExtractor
from gluestick.features.image_batch import (
    ImageBatch,
    OneOrMoreImages,
    OneOrMoreLines,
    OneOrMoreMasks,
    as_image_batch,
)
from gluestick.matching.protocols import MatchingNetwork
from gluestick.pipeline_config import PipelineConfig
from gluestick.pretrained import DEFAULT_MODEL, Model, build_model
from gluestick.timing import NO_TIMES, StageTimer
from gluestick.transfers import existing_device
from gluestick.types import Matches, ViewFrame, Wireframe
from gluestick.viewpoint.attempts import Attempt, PairAttempt, Steps
from gluestick.viewpoint.better_views import MatchedViewConfig, ViewOptions
from gluestick.viewpoint.pair_views import SeenImage, match_again, match_in_views
from gluestick.viewpoint.turns.relative_turn import RelativeTurnConfig
from gluestick.viewpoint.turns.turn_search import TurnSearchConfig
from gluestick.viewpoint.view_modes import (
    ROTATION_OF_VIEW,
    VIEW_OF_ROTATION,
    Rotation,
    View,
    check_view,
    view_of_rotation,
)
from gluestick.viewpoint.view_search import ViewSearchConfig
from gluestick.viewpoint.wireframe_view import wireframe_in_view
from gluestick.wireframe.build import WireframeConfig
from gluestick.wireframe.collate import stack_wireframes
from gluestick.wireframe.extraction import extract_sides, extract_wireframes


class PointLineMatcher(nn.Module):
    """Matches the keypoints and the line segments of two images.

    Args:
        extractor: Detects and describes; None for a matcher that is only given wireframes.
        wireframe: How features become a graph.
        network: Maps two wireframes to matches.
        view: In which views the images of a pair are seen; see
            :data:`gluestick.viewpoint.view_modes.View`.
        relative_turn: The options of the vote on how far image 1 is turned.
        turn_search: The options of the search for pairs on which the vote does not help.
        matched_view: When what was matched calls for other views.
        view_search: The options of the search for views of pairs that match next to nothing.
        rotation: An earlier name in place of ``view``: "auto" means "turn" and "exhaustive"
            means "turns".
    """

    _anchor: Tensor
    """Moves along with the module, which tells its device where nothing has parameters."""

    def __init__(
        self,
        *,
        extractor: FeatureExtractor | None,
        wireframe: WireframeConfig,
        network: MatchingNetwork,
        view: View = "auto",
        relative_turn: RelativeTurnConfig | None = None,
        turn_search: TurnSearchConfig | None = None,
        matched_view: MatchedViewConfig | None = None,
        view_search: ViewSearchConfig | None = None,
        rotation: Rotation | None = None,
    ) -> None:
        super().__init__()
        self.extractor = extractor
        self.wireframe = wireframe
        self.network = network
        self.view = check_view(view if rotation is None else view_of_rotation(rotation))
        self.relative_turn = relative_turn or RelativeTurnConfig()
        self.turn_search = turn_search or TurnSearchConfig()
        self.matched_view = matched_view or MatchedViewConfig()
        self.view_search = view_search or ViewSearchConfig()
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
        view: View | None = None,
        device: torch.device | str | None = None,
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
            view: In which views the images of a pair are seen: "auto" looks for turns, zoom and
                tilt, "turn" undoes turns only, "exhaustive" tries all where that is not clear,
                "none" takes images as they are; None for what the configuration says. See
                :data:`gluestick.viewpoint.view_modes.View`.
            device: Where it runs, such as "cuda"; "auto" for the first GPU where there is one;
                None for the CPU.

        Returns:
            The matcher in evaluation mode. Where the detector's weights are missing it still
            matches wireframes, and says what is missing when it is given images.

        Raises:
            ValueError: If there is no such model, its weights are not shipped and none are
                given, a file is unreadable or does not fit, or there is no such view or device.
        """
        chosen = existing_device(device)
        if view is not None:
            check_view(view)
        matcher = cls.from_model(
            build_model(
                name,
                weights=weights,
                detector_weights=detector_weights,
                config=config,
                max_num_keypoints=max_num_keypoints,
                max_num_lines=max_num_lines,
            )
        )
        if view is not None:
            matcher.view = view
        return matcher.to(chosen)

    @classmethod
    def from_model(cls, model: Model) -> "PointLineMatcher":
        """Put the parts of a model together, in evaluation mode."""
        return cls(
            extractor=model.extractor,
            wireframe=model.config.wireframe,
            network=model.network,
            view=model.config.view,
            relative_turn=model.config.relative_turn,
            turn_search=model.config.turn_search,
            matched_view=model.config.matched_view,
            view_search=model.config.view_search,
        ).eval()

    @property
    def rotation(self) -> Rotation:
        """What :attr:`view` means for turns alone; setting it looks for turns alone."""
        return ROTATION_OF_VIEW[self.view]

    @rotation.setter
    def rotation(self, rotation: Rotation) -> None:
        self.view = view_of_rotation(rotation)

    @property
    def device(self) -> torch.device:
        """Where the network runs, and where wireframes are matched."""
        modules = [part for part in (self.network, self) if isinstance(part, nn.Module)]
        parameters = (parameter for module in modules for parameter in module.parameters())
        return next(parameters, self._anchor).device

    def extract(
        self,
        images: OneOrMoreImages,
        *,
        masks: OneOrMoreMasks | None = None,
        lines: OneOrMoreLines | None = None,
        turns: Sequence[float] | None = None,
        views: Sequence[ViewFrame | None] | None = None,
        timer: StageTimer | None = None,
    ) -> Wireframe:
        """Detect and describe, once per image, what :meth:`match` needs.

        Args:
            images: One image, or a sequence or a generator of B images, which may differ in
                size, in any form that :func:`gluestick.images.load.as_image` takes: paths,
                Pillow images, arrays and tensors; or a tensor [B, 3, H, W].
            masks: For each image [H, W], or the path of one, or None; keypoints and detected
                segments lie only where it is not 0.
            lines: For each image segments of your own, an array [L, 2, 2] or [L, 4] px, or
                None to detect them.
            turns: For each image how far it is turned before anything is detected, degrees from
                the x towards the y axis (clockwise as seen). What is found is mapped back, and
                the wireframe remembers the view.
            views: For each image the view in which everything is detected in place of a turn, or
                None; see :meth:`gluestick.features.extractor.FeatureExtractor.forward`.
            timer: Where the seconds of the stages are added up.

        Returns:
            The wireframes of the batch, in px of the images.

        Raises:
            ValueError: If an image is not one, the numbers of images, masks, lines and turns
                differ, or the model's detector has no weights.
        """
        batch = as_image_batch(images, masks=masks, lines=lines)
        return self._extract(batch, turns=turns, views=views, timer=timer or NO_TIMES)

    def extract_in_view(
        self,
        wireframe0: Wireframe,
        image0: OneOrMoreImages,
        image1: OneOrMoreImages,
        *,
        mask0: OneOrMoreMasks | None = None,
        mask1: OneOrMoreMasks | None = None,
        lines1: OneOrMoreLines | None = None,
        timer: StageTimer | None = None,
    ) -> Wireframe:
        """Turn image 1 such that it shows things as image 0 does, and extract it there.

        For those who extract images 0 once and match them with many others: matching
        ``wireframe0`` with the result gives what calling the matcher with both images gives,
        unless that sees image 0, too, from closer or from another side, which :attr:`view` "auto"
        and "exhaustive" may do. Where nothing is looked for ("none"), it is :meth:`extract`.
        Otherwise finding the turn includes matching, so that calling the matcher with both
        images takes less time than this and :meth:`match`.

        Args:
            wireframe0: The wireframes of the images 0, extracted as they are.
            image0: The images 0 themselves; see :meth:`extract`.
            image1: As many images.
            mask0: Masks for the images 0.
            mask1: Masks for the images 1.
            lines1: Segments of your own for the images 1.
            timer: Where the seconds of the stages are added up.

        Returns:
            The wireframes of the images 1 in px of the images as they are; ``views`` says in
            which view each was extracted.

        Raises:
            ValueError: See :meth:`extract` and :meth:`match`; or if the images 0 were extracted
                in views of their own.
        """
        batch0 = as_image_batch(image0, masks=mask0)
        batch1 = as_image_batch(image1, masks=mask1, lines=lines1)
        timer = timer or NO_TIMES
        if self.view == "none":
            return self._extract(batch1, timer=timer)
        if any(view is not None for view in wireframe0.views):
            raise ValueError(
                "the view of image 1 is looked for from image 0 as it is, found a wireframe 0 "
                "in a view of its own: extract image 0 without turns"
            )
        turning = VIEW_OF_ROTATION[self.rotation]
        found = self._match_in_view(wireframe0, batch0, batch1, view=turning, timer=timer)
        return found.wireframe1

    def match(
        self, wireframe0: Wireframe, wireframe1: Wireframe, *, timer: StageTimer | None = None
    ) -> Matches:
        """Match two batches of wireframes, pair by pair, in the views that they remember.

        Args:
            wireframe0: The wireframes of the images 0, on any device.
            wireframe1: The wireframes of the images 1, as many.
            timer: Where the seconds of the stage "matching" are added up.

        Returns:
            The matches, on the matcher's device.

        Raises:
            ValueError: If the batches or the descriptors do not fit.
        """
        wireframe0, wireframe1 = wireframe_in_view(wireframe0), wireframe_in_view(wireframe1)
        with torch.no_grad(), (timer or NO_TIMES).stage("matching"):
            return self.network(wireframe0.to(self.device), wireframe1.to(self.device))

    @torch.no_grad()
    def match_again(
        self, image0: SeenImage, image1: SeenImage, *, timer: StageTimer | None = None
    ) -> PairAttempt:
        """Match two images that were extracted apart, in the views that show the same alike.

        For those who extract each image once, in a view in which it matches most others: what
        :attr:`view` says is done for this pair, but for the vote on turns.

        Args:
            image0: Image 0, and how it was extracted.
            image1: Image 1.
            timer: Where the seconds of the stages are added up.

        Returns:
            The best attempt; its wireframes are those of the images where no view is better.

        Raises:
            ValueError: See :meth:`match`.
        """
        steps = self._view_steps(timer or NO_TIMES)
        return match_again(image0, image1, steps=steps, options=self._view_options(self.view))

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
            The wireframes of both sides, which remember in which views images were seen, and the
            matches between them.

        Raises:
            ValueError: See :meth:`extract` and :meth:`match`.
        """
        batch0 = as_image_batch(image0, masks=mask0, lines=lines0)
        batch1 = as_image_batch(image1, masks=mask1, lines=lines1)
        self._existing_extractor()
        found = self._match_in_view(None, batch0, batch1, view=self.view, timer=timer or NO_TIMES)
        return found.wireframe0, found.wireframe1, found.matches

    def _existing_extractor(self) -> FeatureExtractor:
        if self.extractor is None:
            raise ValueError(
                "the weights of the model's point detector are not shipped: name their file "
                "with detector_weights= (--detector-weights)"
            )
        return self.extractor

    def _extract(
        self,
        batch: ImageBatch,
        *,
        turns: Sequence[float] | None = None,
        views: Sequence[ViewFrame | None] | None = None,
        timer: StageTimer,
    ) -> Wireframe:
        extractor, config = self._existing_extractor(), self.wireframe
        found = extract_wireframes(
            extractor, batch, config=config, turns=turns, views=views, timer=timer
        )
        return stack_wireframes(found, padded=False)

    def _extract_pairs(
        self, *batches: ImageBatch, turns: Sequence[float] | None = None, timer: StageTimer
    ) -> tuple[Wireframe, Wireframe]:
        extractor = self._existing_extractor()
        return extract_sides(extractor, *batches, config=self.wireframe, turns=turns, timer=timer)

    @torch.no_grad()
    def _match_in_view(
        self,
        wireframe0: Wireframe | None,
        batch0: ImageBatch,
        batch1: ImageBatch,
        *,
        view: View,
        timer: StageTimer,
    ) -> Attempt:
        steps, options = self._view_steps(timer), self._view_options(view)
        return match_in_views(wireframe0, batch0, batch1, steps=steps, options=options)

    def _view_steps(self, timer: StageTimer) -> Steps:
        return Steps(
            extractor=self.extractor,
            extract=partial(self._extract, timer=timer),
            extract_pairs=partial(self._extract_pairs, timer=timer),
            match=partial(self.match, timer=timer),
            timer=timer,
        )

    def _view_options(self, view: View) -> ViewOptions:
        return ViewOptions(
            view=view,
            relative_turn=self.relative_turn,
            turn_search=self.turn_search,
            matched_view=self.matched_view,
            view_search=self.view_search,
        )
