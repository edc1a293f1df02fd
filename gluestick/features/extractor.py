"""From images to features."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gluestick.features.collate import stack_features
from gluestick.features.image_batch import one_per_image
from gluestick.features.lines.given import lie_inside
from gluestick.features.lines.on_host import HostLineDetector, host_values, moved_lines
from gluestick.features.lines.registry import LineDetectorConfig, build_line_detector
from gluestick.features.lines.side_colors import side_colors_of
from gluestick.features.look import Look, PreparedImage, features_of
from gluestick.features.points.registry import (
    PointDetectorConfig,
    build_point_detector,
    bytes_per_pixel,
)
from gluestick.features.protocols import PointDetector
from gluestick.features.tiles import TileConfig, detect_in_tiles
from gluestick.images import ContrastConfig, ResizeConfig
from gluestick.images.resize import resized_size
from gluestick.images.rotation import turn_of_frame, turned_frame
from gluestick.images.view import View, nearest_quarter_turn, upright_view, warped_view
from gluestick.precision import keeping_type, without_autocast
from gluestick.side_by_side import begin_ahead
from gluestick.timing import NO_TIMES, StageTimer
from gluestick.types import Features, Lines, Points, ViewFrame


@dataclass(frozen=True, kw_only=True)
class FeatureExtractorConfig:
    """What is detected, and at which image size.

    Attributes:
        points: The point detector.
        lines: The line detector.
        resize: How images are resized before anything is detected. Radii and lengths of the
            detectors count in pixels of the resized image.
        contrast: Which images are stretched before they are resized.
        tiles: Whether keypoints are detected in tiles of what the resizing gives, for large
            images that are to keep their size.
        side_colors: Whether the colours on both sides of lines are sampled, which the line head
            ``same_line`` needs.
    """

    points: PointDetectorConfig = field(default_factory=PointDetectorConfig)
    lines: LineDetectorConfig = field(default_factory=LineDetectorConfig)
    resize: ResizeConfig = field(default_factory=ResizeConfig)
    contrast: ContrastConfig = field(default_factory=ContrastConfig)
    tiles: TileConfig = field(default_factory=TileConfig)
    side_colors: bool = False


class FeatureExtractor(nn.Module):
    """Detects keypoints and line segments and describes them.

    Images are resized, and turned where asked for, and everything is mapped back to pixels of
    the originals. Networks run on the module's device, and images are moved there.

    Detectors are used as they are. They compute in single precision whatever the precision of
    the model around them and whatever autocast is on, since half a pixel is lost otherwise; and
    ``train()`` leaves them in evaluation mode, since a forward pass would move the statistics of
    their batch normalisation. Who trains a detector calls its own ``train()``, which holds until
    the next ``eval()``.

    Args:
        config: The options.
        point_detector: A detector of your own, in place of the one that the options name.

    Attributes:
        point_detector: Finds and describes keypoints.
        line_detector: Finds line segments, on the CPU.
    """

    _anchor: Tensor
    """Moves along with the module, which tells its device where no detector has parameters."""

    def __init__(
        self,
        config: FeatureExtractorConfig | None = None,
        *,
        point_detector: PointDetector | None = None,
    ) -> None:
        super().__init__()
        self.config = config or FeatureExtractorConfig()
        self.point_detector = point_detector or build_point_detector(self.config.points)
        self._serves_threads = point_detector is None
        self.line_detector = build_line_detector(self.config.lines)
        self.register_buffer("_anchor", torch.zeros(0), persistent=False)

    def train(self, mode: bool = True) -> "FeatureExtractor":
        """Set the mode of the extractor, and of its detectors only if it is evaluation."""
        if not mode:
            return super().train(False)
        self.training = True
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor], *args: Any, **kwargs: Any) -> Any:
        return super()._apply(keeping_type(fn), *args, **kwargs)

    @property
    def device(self) -> torch.device:
        """Where the networks run, and where features are."""
        return next(self.parameters(), self._anchor).device

    @property
    def accelerated(self) -> bool:
        """Whether the networks run elsewhere than on the CPU, which has time meanwhile.

        Then views of one size are detected at once (:mod:`gluestick.features.view_points`) and
        lines are found ahead; otherwise images are looked at side by side where that may be.
        """
        return self.device.type != "cpu"

    @property
    def descriptor_dim(self) -> int:
        """The size D of the descriptors."""
        return self.point_detector.descriptor_dim

    def serves_threads(self, images: Sequence[Tensor]) -> bool:
        """Tell whether two threads may extract images at a time.

        They may on the CPU, with the package's own detectors, which keep nothing of what they see
        unless they are trained, and where there is memory for both.

        Args:
            images: The images [3, H, W].
        """
        sizes = [
            resized_size((image.shape[-1], image.shape[-2]), config=self.config.resize)
            for image in images
        ]
        detector, tiles = self.point_detector, self.config.tiles
        trained = isinstance(detector, nn.Module) and detector.training
        room = tiles.has_room_for(sizes, bytes_per_pixel=bytes_per_pixel(self.config.points.name))
        return self._serves_threads and room and not trained and not self.accelerated

    def detect_points(self, image: Tensor, mask: Tensor | None = None) -> Points:
        """Find and describe the keypoints of one image.

        Args:
            image: [3, H, W] float32 in [0, 1], RGB.
            mask: [H, W] bool; keypoints lie only where it is True.

        Returns:
            The keypoints in px of ``image``, strongest first, on the module's device.

        Raises:
            ShapeError: If the image or the mask has another shape.
        """
        return self.points_in(self.view(image, mask))

    def detect_lines(self, image: Tensor, mask: Tensor | None = None) -> Lines:
        """Find the line segments of one image.

        Args:
            image: [3, H, W] float32 in [0, 1], RGB.
            mask: [H, W] bool; segments lie entirely where it is True.

        Returns:
            The segments in px of ``image``, best first, on the module's device.

        Raises:
            ShapeError: If the image or the mask has another shape.
        """
        return self._lines(self.view(image, mask))

    def forward(
        self,
        images: Sequence[Tensor],
        *,
        masks: Sequence[Tensor | None] | None = None,
        lines: Sequence[Lines | None] | None = None,
        turns: Sequence[float] | None = None,
        views: Sequence[ViewFrame | None] | None = None,
        timer: StageTimer | None = None,
    ) -> Features:
        """Extract the features of several images, which may differ in size.

        Images are processed one by one, so that a batch gives exactly what single images give.

        Args:
            images: B images [3, H, W] float32 in [0, 1], RGB.
            masks: For each image [H, W] bool or None; keypoints and detected segments lie only
                where it is True.
            lines: For each image the segments to use in px of the image, in place of detected
                ones, or None. They are used as they are: neither masks nor the limits on the
                number and the length of segments apply.
            turns: For each image how far it is turned before anything is detected, degrees from
                the x towards the y axis; what is found is mapped back. Line segments, which
                need no upright image, are detected after the nearest multiple of 90 degrees,
                where no pixel is interpolated.
            views: For each image the view in which everything is detected in place of a turn,
                or None; what is found is mapped back. What the view shows beyond the image has
                neither keypoints nor segments.
            timer: Where the seconds of the stages "keypoints" and "lines" are added up.

        Returns:
            The features in px of the images, on the module's device; ``views`` says in which
            view each was seen.

        Raises:
            ValueError: If there is no image, a shape does not fit, the sequences differ in
                length, given segments leave their image by more than 2 px, or a turn is not
                finite or comes with a view.
        """
        features = [
            *self.each(images, masks=masks, lines=lines, turns=turns, views=views, timer=timer)
        ]
        return stack_features(features, padded=False)

    def each(
        self,
        images: Sequence[Tensor],
        *,
        masks: Sequence[Tensor | None] | None = None,
        lines: Sequence[Lines | None] | None = None,
        turns: Sequence[float] | None = None,
        views: Sequence[ViewFrame | None] | None = None,
        timer: StageTimer | None = None,
    ) -> Iterator[Features]:
        """Extract the features of one image after the other.

        Who needs them one by one does not keep what describes further positions, a dense map of
        each image, for the whole batch. Arguments and errors are those of :meth:`forward`; see
        :meth:`see_each`.

        Yields:
            The features of each image, without padding.
        """
        looks = self.looks(images, masks=masks, lines=lines, turns=turns, views=views)
        yield from self.see_each(looks, timer=timer or NO_TIMES)

    def see_each(
        self, looks: Iterable[Look], *, timer: StageTimer = NO_TIMES
    ) -> Iterator[Features]:
        """Extract the features of one image after the other.

        On an accelerator the next images are shown to the line detector meanwhile, whose threads
        run on the CPU. Results are the same to the bit.

        Args:
            looks: What extracts each; drawn one by one, a few of them ahead on an accelerator.
            timer: Where the seconds of the stages are added up; those of lines that were found
                meanwhile do not count.

        Yields:
            The features of each image, without padding.
        """
        if not self.accelerated:
            for look in looks:
                yield look(timer)
            return
        for finish in begin_ahead(looks, lambda look, threads: look.begin(timer, threads)):
            yield finish()

    def looks(
        self,
        images: Sequence[Tensor],
        *,
        masks: Sequence[Tensor | None] | None = None,
        lines: Sequence[Lines | None] | None = None,
        turns: Sequence[float] | None = None,
        views: Sequence[ViewFrame | None] | None = None,
    ) -> list[Look]:
        """Return for each image what extracts its features.

        Arguments and errors are those of :meth:`forward`.
        """
        found = []
        for image, mask, own_lines, turn, frame in zip(
            images,
            one_per_image(masks, images, name="masks"),
            one_per_image(lines, images, name="lines"),
            one_per_image(turns, images, name="turns"),
            one_per_image(views, images, name="views"),
            strict=True,
        ):
            if frame is not None and turn:
                raise ValueError(
                    f"an image is turned or seen in a view, found both, and {turn:g} degrees: make "
                    "the turn a part of the view"
                )
            if frame is None:
                frame = turned_frame((image.shape[-1], image.shape[-2]), angle=turn or 0.0)
            prepare = partial(self._prepare, image, mask, own_lines, frame)
            found.append(Look(prepare=prepare, finish=self._features))
        return found

    def _prepare(
        self,
        image: Tensor,
        mask: Tensor | None,
        own_lines: Lines | None,
        frame: ViewFrame | None,
        threads: Executor | None,
    ) -> PreparedImage:
        """Show an image to the detectors, and begin to find its lines where threads are given."""
        size = image.shape[-1], image.shape[-2]
        turn = 0.0 if frame is None else turn_of_frame(frame, size)
        if turn is None:
            shown = seen = untouched = self.view(image, mask, frame=frame)
        else:
            untouched = self.view(image, mask)
            shown = untouched.turned(nearest_quarter_turn(turn))
            seen = untouched.turned(turn)
        if own_lines is not None:
            find_lines = partial(lie_inside, own_lines, image)
        elif threads is None or not isinstance(self.line_detector, HostLineDetector):
            find_lines = partial(self._lines, shown)
        else:
            gray, allowed = host_values(shown.image, shown.mask)
            finding = threads.submit(self.line_detector.detect_gray, gray, mask=allowed)
            find_lines = partial(self._lines, shown, finding)
        return PreparedImage(size, frame, seen, untouched, find_lines)

    def _features(self, prepared: PreparedImage, timer: StageTimer) -> Features:
        with timer.stage("keypoints"):
            points = self.points_in(prepared.seen)
        with timer.stage("lines"):
            found = prepared.find_lines()
            untouched = prepared.untouched
            colors = side_colors_of(untouched, found) if self.config.side_colors else None
        return features_of(prepared, points, found, colors)

    def view(
        self,
        image: Tensor,
        mask: Tensor | None = None,
        *,
        resize: ResizeConfig | None = None,
        frame: ViewFrame | None = None,
    ) -> View:
        """Prepare an image for :meth:`points_in`.

        Args:
            image: [3, H, W] float32 in [0, 1], RGB.
            mask: [H, W] bool; keypoints lie only where it is True.
            resize: How it is resized, or None for the configured rule.
            frame: In which view it is seen, or None for the image as it is, which can be turned.

        Returns:
            The resized image on the module's device.

        Raises:
            ShapeError: If the image or the mask has another shape.
        """
        image, resize = image.to(self.device), resize or self.config.resize
        contrast = self.config.contrast
        if frame is None:
            return upright_view(image, mask, resize=resize, contrast=contrast)
        return warped_view(image, mask, frame=frame, resize=resize, contrast=contrast)

    @torch.no_grad()
    def points_in(self, view: View, *, max_num_keypoints: int | None = None) -> Points:
        """Find and describe the keypoints of a view.

        Args:
            view: The view of an image.
            max_num_keypoints: How many keypoints at most, or None for the configured number.

        Returns:
            The keypoints in px of the original image, strongest first.
        """
        height, width = view.image.shape[1:]
        tiles = self.config.tiles.within_memory(
            (width, height), bytes_per_pixel=bytes_per_pixel(self.config.points.name)
        )
        with without_autocast(view.image.device):
            if tiles.divides(view.image):
                limit = self.config.points.max_num_keypoints
                points = detect_in_tiles(
                    self.point_detector,
                    view.image,
                    mask=view.mask,
                    max_num_keypoints=limit if max_num_keypoints is None else max_num_keypoints,
                    config=tiles,
                )
            else:
                points = self.point_detector.detect(
                    view.image, mask=view.mask, max_num_keypoints=max_num_keypoints
                )
        return view.in_original(points)

    @torch.no_grad()
    def _lines(self, view: View, finding: Future[Lines] | None = None) -> Lines:
        """Return the lines of a view, those that a thread is finding if there is one."""
        detect = partial(self.line_detector.detect, view.image, mask=view.mask)
        lines = moved_lines(finding.result(), like=view.image) if finding else detect()
        return Lines(lines=view.place.to_original(lines.lines), scores=lines.scores)
