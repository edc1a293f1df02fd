"""From two images to matches, in one object."""

from collections.abc import Sequence
from dataclasses import dataclass
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
from gluestick.types import Matches, Wireframe
from gluestick.viewpoint.pair_view import (
    ROTATION_OF_VIEW,
    Rotation,
    View,
    check_rotation,
    doubtful_pairs,
    matching_confidences,
    turns_to_try,
    vote_turns,
)
from gluestick.viewpoint.relative_turn import RelativeTurnConfig
from gluestick.viewpoint.turn_search import TurnSearchConfig
from gluestick.viewpoint.wireframe_view import wireframe_in_view
from gluestick.wireframe.build import WireframeConfig, build_wireframe
from gluestick.wireframe.collate import split_wireframe, stack_wireframes


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
        rotation: Rotation = "auto",
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
            view: In which view the second image is seen: "turn" undoes its turn against the
                first ("auto" of the configuration's ``rotation``), "exhaustive" tries every
                upright turn where that is not clear, "none" takes images as they are; None for
                what the configuration says.
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
        if view not in (None, *ROTATION_OF_VIEW):
            raise ValueError(
                f"view needs to be one of {', '.join(ROTATION_OF_VIEW)}, found {view!r}"
            )
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
            matcher.rotation = ROTATION_OF_VIEW[view]
        return matcher.to(chosen)

    @classmethod
    def from_model(cls, model: Model) -> "PointLineMatcher":
        """Put the parts of a model together, in evaluation mode."""
        return cls(
            extractor=model.extractor,
            wireframe=model.config.wireframe,
            network=model.network,
            rotation=model.config.rotation,
            relative_turn=model.config.relative_turn,
            turn_search=model.config.turn_search,
        ).eval()

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
            timer: Where the seconds of the stages are added up.

        Returns:
            The wireframes of the batch, in px of the images.

        Raises:
            ValueError: If an image is not one, the numbers of images, masks, lines and turns
                differ, or the model's detector has no weights.
        """
        batch = as_image_batch(images, masks=masks, lines=lines)
        return self._extract(batch, turns=turns, timer=timer or NO_TIMES)

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
        """Find the view of image 1 that shows things as image 0 does, and extract it there.

        For those who extract images 0 once and match them with many others: matching
        ``wireframe0`` with the result gives what calling the matcher with both images gives.
        Where nothing is looked for (:attr:`rotation` is "none"), it is :meth:`extract`.
        Otherwise finding the view includes matching in it, so that calling the matcher with both
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
        if self.rotation == "none":
            return self._extract(batch1, timer=timer)
        if any(view is not None for view in wireframe0.views):
            raise ValueError(
                "the view of image 1 is looked for from image 0 as it is, found a wireframe 0 "
                "in a view of its own: extract image 0 without turns"
            )
        return self._match_in_view(wireframe0, batch0, batch1, timer=timer).wireframe1

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
            The wireframes of both sides and the matches between them: what :meth:`extract`,
            :meth:`extract_in_view` and :meth:`match` give.

        Raises:
            ValueError: See :meth:`extract` and :meth:`match`.
        """
        batch0 = as_image_batch(image0, masks=mask0, lines=lines0)
        batch1 = as_image_batch(image1, masks=mask1, lines=lines1)
        timer = timer or NO_TIMES
        wireframe0 = self._extract(batch0, timer=timer)
        found = self._match_in_view(wireframe0, batch0, batch1, timer=timer)
        return wireframe0, found.wireframe1, found.matches

    @torch.no_grad()
    def _extract(
        self, batch: ImageBatch, *, turns: Sequence[float] | None = None, timer: StageTimer
    ) -> Wireframe:
        if self.extractor is None:
            raise ValueError(
                "the weights of the model's point detector are not shipped: name their file "
                "with detector_weights= (--detector-weights)"
            )
        wireframes = []
        for features in self.extractor.each(
            batch.images, masks=batch.masks, lines=batch.lines, turns=turns, timer=timer
        ):
            with timer.stage("wireframe"):
                wireframes.append(build_wireframe(features, config=self.wireframe))
            del features  # and with them the dense maps of the image
        return stack_wireframes(wireframes, padded=False)

    def _match_in_view(
        self,
        wireframe0: Wireframe,
        batch0: ImageBatch,
        batch1: ImageBatch,
        *,
        timer: StageTimer,
    ) -> "_Attempt":
        """Vote on the views of the images 1, match them, and try others for doubtful pairs."""
        if self.rotation == "none":
            return self._try(wireframe0, batch1, timer=timer)
        with timer.stage("rotation"):
            contrast = None if self.extractor is None else self.extractor.config.contrast
            votes = vote_turns(batch0, batch1, config=self.relative_turn, contrast=contrast)
        turns = [vote or 0.0 for vote in votes]
        first = self._try(wireframe0, batch1, turns=turns, timer=timer)
        doubtful = doubtful_pairs(
            wireframe0,
            first.wireframe1,
            first.matches,
            votes=votes,
            rotation=self.rotation,
            min_support=self.turn_search.min_support,
        )
        if not doubtful:
            return first
        better = {}
        singles0, confidences = split_wireframe(wireframe0), first.confidences()
        for index in doubtful:
            pair = batch0.take(index), batch1.take(index)
            others = self._other_views(singles0[index], *pair, vote=votes[index], timer=timer)
            best = max(others, key=lambda other: other.confidences()[0], default=None)
            if best is not None and best.confidences()[0] > confidences[index]:
                better[index] = best
        if not better:
            return first
        if len(votes) == 1:
            return better[0]
        singles1 = split_wireframe(first.wireframe1)
        for index, attempt in better.items():
            singles1[index] = attempt.wireframe1
        wireframe1 = stack_wireframes(singles1)
        matches = self.match(wireframe0, wireframe1, timer=timer)
        return _Attempt(wireframe1=wireframe1, matches=matches)

    def _other_views(
        self,
        wireframe0: Wireframe,
        batch0: ImageBatch,
        batch1: ImageBatch,
        *,
        vote: float | None,
        timer: StageTimer,
    ) -> "list[_Attempt]":
        """Search for other views of image 1 of one pair, and match it in each."""
        assert self.extractor is not None
        with timer.stage("rotation"):
            turns = turns_to_try(
                self.extractor,
                batch0,
                batch1,
                vote=vote,
                rotation=self.rotation,
                relative_turn=self.relative_turn,
                turn_search=self.turn_search,
            )
        return [self._try(wireframe0, batch1, turns=[turn], timer=timer) for turn in turns]

    def _try(
        self,
        wireframe0: Wireframe,
        batch1: ImageBatch,
        *,
        turns: Sequence[float] | None = None,
        timer: StageTimer,
    ) -> "_Attempt":
        wireframe1 = self._extract(batch1, turns=turns, timer=timer)
        matches = self.match(wireframe0, wireframe1, timer=timer)
        return _Attempt(wireframe1=wireframe1, matches=matches)


@dataclass(frozen=True, kw_only=True)
class _Attempt:
    """The images 1 of a batch of pairs extracted in some views, and matched there."""

    wireframe1: Wireframe
    matches: Matches

    def confidences(self) -> list[float]:
        return matching_confidences(self.matches).tolist()
