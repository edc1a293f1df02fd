"""From images to wireframes, two images at a time."""

from collections.abc import Sequence
from functools import partial

import torch

from gluestick.features.extractor import FeatureExtractor
from gluestick.features.image_batch import ImageBatch
from gluestick.features.look import Look
from gluestick.side_by_side import run_side_by_side
from gluestick.timing import StageTimer
from gluestick.types import Features, ViewFrame, Wireframe
from gluestick.wireframe.build import WireframeConfig, build_wireframe
from gluestick.wireframe.collate import stack_wireframes


@torch.no_grad()
def extract_wireframes(
    extractor: FeatureExtractor,
    batch: ImageBatch,
    *,
    config: WireframeConfig,
    turns: Sequence[float] | None = None,
    views: Sequence[ViewFrame | None] | None = None,
    timer: StageTimer,
) -> list[Wireframe]:
    """Extract images and connect what is found to graphs.

    On the CPU two images are looked at side by side where torch has two threads
    (:mod:`gluestick.side_by_side`); on an accelerator lines of the next images are found meanwhile
    (:meth:`gluestick.features.extractor.FeatureExtractor.see_each`). The dense maps of an image
    are freed as soon as its wireframe is there.

    Args:
        extractor: Detects and describes.
        batch: The images.
        config: How features become a graph.
        turns: For each image how far it is turned, see
            :meth:`gluestick.features.extractor.FeatureExtractor.forward`; or None.
        views: For each image in which view it is seen, or None; or None.
        timer: Where the seconds of "keypoints", "lines" and "wireframe" are added up.

    Returns:
        The wireframe of each image.

    Raises:
        ValueError: See :meth:`gluestick.features.extractor.FeatureExtractor.forward`.
    """
    looks = extractor.looks(
        batch.images, masks=batch.masks, lines=batch.lines, turns=turns, views=views
    )
    if extractor.accelerated:
        seen = extractor.see_each(looks, timer=timer)
        return [*map(partial(_graph_of, config=config, timer=timer), seen)]
    return run_side_by_side(
        [partial(_wireframe_of, look, config) for look in looks],
        timer=timer,
        apart=extractor.serves_threads(batch.images),
    )


def extract_sides(
    extractor: FeatureExtractor,
    batch0: ImageBatch,
    batch1: ImageBatch,
    *,
    config: WireframeConfig,
    turns: Sequence[float] | None = None,
    timer: StageTimer,
) -> tuple[Wireframe, Wireframe]:
    """Extract both sides of a batch of pairs together, as :func:`extract_wireframes` does.

    Args:
        extractor: Detects and describes.
        batch0: The images 0, taken as they are.
        batch1: As many images 1.
        config: How features become a graph.
        turns: For each image 1 how far it is turned, or None.
        timer: Where the seconds of the stages are added up.

    Returns:
        The wireframes of the images 0, and those of the images 1.

    Raises:
        ValueError: See :func:`extract_wireframes`.
    """
    number0 = len(batch0.images)
    found = extract_wireframes(
        extractor,
        batch0.followed_by(batch1),
        config=config,
        turns=None if turns is None else [0.0] * number0 + [*turns],
        timer=timer,
    )
    sides = found[:number0], found[number0:]
    wireframes0, wireframes1 = (stack_wireframes(side, padded=False) for side in sides)
    return wireframes0, wireframes1


def _wireframe_of(look: Look, config: WireframeConfig, timer: StageTimer) -> Wireframe:
    return _graph_of(look(timer), config=config, timer=timer)


def _graph_of(features: Features, *, config: WireframeConfig, timer: StageTimer) -> Wireframe:
    with timer.stage("wireframe"):
        return build_wireframe(features, config=config)
