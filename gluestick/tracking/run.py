"""From frames and a matcher to the files of a tracked video."""

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gluestick.config import MatchConfig
from gluestick.pair_run.summary import versions, write_json
from gluestick.pipeline import PointLineMatcher
from gluestick.storage.result_folder import files_together
from gluestick.timing import StageTimer
from gluestick.tracking.frames import Frame, FrameSource
from gluestick.tracking.pictures import TrackPainter, VideoFile
from gluestick.tracking.tracker import Tracker, TrackerConfig
from gluestick.tracking.tracks import KINDS, Tracks, write_tracks_csv, write_tracks_npz
from gluestick.types import Wireframe

FILES = ("tracks.mp4", "tracks.csv", "tracks.npz", "run.json")
"""The names of all files, in the order in which they appear."""

_AHEAD = 2
"""How many frames are looked at side by side, while those before are matched."""


@dataclass(frozen=True, kw_only=True)
class TrackedVideo:
    """What came of a video.

    Attributes:
        num_frames: How many frames were followed.
        tracks: The tracks.
        notes: What was left out and why.
        seconds: The seconds of each stage; those of several frames pass side by side.
        written: The files.
        record: What is in run.json.
    """

    num_frames: int
    tracks: Tracks
    notes: list[str]
    seconds: dict[str, float]
    written: list[Path]
    record: dict[str, Any] = field(repr=False)


def track_into_files(
    matcher: PointLineMatcher,
    frames: FrameSource,
    output: Path,
    *,
    settings: MatchConfig,
    config: TrackerConfig | None = None,
    video: bool = True,
    given: Mapping[str, Any] | None = None,
) -> TrackedVideo:
    """Follow points and lines through frames and write what was found.

    Args:
        matcher: Finds and matches features; frames are seen as they are, without views.
        frames: The frames.
        output: The folder to write to.
        settings: The settings of the matcher, for run.json.
        config: How frames are connected.
        video: Whether tracks.mp4 is written.
        given: Further entries of run.json, such as where the frames come from.

    Returns:
        The tracks, and what is in the files.

    Raises:
        ValueError: If there are fewer than two frames, or a file cannot be written.
    """
    config = config or TrackerConfig()
    timer = StageTimer()
    num_frames = 0
    with files_together(output, FILES) as folder:
        with timer.stage("total"), ExitStack() as stack:
            tracker, painter = Tracker(matcher.match, config), TrackPainter()
            film: VideoFile | None = None
            for frame, wireframe in _with_features(frames, matcher, timer):
                with timer.stage("matching"):
                    shown = tracker.add(frame.number, wireframe)
                num_frames += 1
                if not video:
                    continue
                with timer.stage("pictures"):
                    if film is None:
                        size = frame.image.shape[2], frame.image.shape[1]
                        path = folder / FILES[0]
                        film = stack.enter_context(VideoFile(path, rate=frames.rate, size=size))
                    film.add(painter.draw(frame.image, shown))
        if num_frames < 2:
            raise ValueError(_too_few(num_frames, frames.notes))
        tracks = tracker.tracks()
        write_tracks_csv(folder / FILES[1], tracks)
        write_tracks_npz(folder / FILES[2], tracks)
        record = {
            **(given or {}),
            "frames": num_frames,
            "notes": frames.notes,
            "tracks": {kind: _summary(tracks, kind) for kind in KINDS},
            "seconds": timer.seconds,
            "tracker": asdict(config),
            "settings": asdict(settings),
            "versions": versions(),
        }
        write_json(folder / FILES[3], record)
        written = [output / name for name in FILES if (folder / name).exists()]
    return TrackedVideo(
        num_frames=num_frames,
        tracks=tracks,
        notes=frames.notes,
        seconds=timer.seconds,
        written=written,
        record=record,
    )


def _with_features(
    frames: FrameSource, matcher: PointLineMatcher, timer: StageTimer
) -> Iterator[tuple[Frame, Wireframe]]:
    """Yield frames with their features, which threads of their own find a little ahead."""

    def look(frame: Frame) -> tuple[Frame, Wireframe, dict[str, float]]:
        own = StageTimer()
        return frame, matcher.extract(frame.image, timer=own), own.seconds

    left = iter(frames)
    waiting: deque[Future[tuple[Frame, Wireframe, dict[str, float]]]] = deque()
    with ThreadPoolExecutor(max_workers=_AHEAD) as pool:
        while True:
            with timer.stage("reading"):
                frame = next(left, None)
            if frame is not None:
                waiting.append(pool.submit(look, frame))
            elif not waiting:
                return
            if frame is None or len(waiting) > _AHEAD:
                found, wireframe, seconds = waiting.popleft().result()
                for name, value in seconds.items():
                    timer.seconds[name] = timer.seconds.get(name, 0.0) + value
                yield found, wireframe


def _summary(tracks: Tracks, kind: str) -> dict[str, float]:
    lengths = tracks.lengths(kind)
    return {
        "tracks": len(lengths),
        "mean_frames": float(lengths.mean()) if len(lengths) else 0.0,
        "longest": int(np.max(lengths, initial=0)),
    }


def _too_few(number: int, notes: list[str]) -> str:
    left_out = f"; {notes[0]}" if notes else ""
    return f"tracks need at least two frames, found {number}{left_out}"
