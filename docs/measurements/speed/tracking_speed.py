"""How many frames a second are tracked, and where the time goes.

Usage: ``python docs/measurements/speed/tracking_speed.py PHOTOGRAPH [SETTING=VALUE] [--frames 40]
[--config video]``. A video of 640 x 480 px is made of the photograph, which drifts, turns and
grows. First one thread does everything, and the processor seconds of each stage are taken; then
``gluestick track`` does it with its threads, by the wall clock.
"""

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from gluestick.catalog import load_matcher, matcher_card
from gluestick.config import MatchConfig, load_match_config
from gluestick.pipeline import PointLineMatcher
from gluestick.timing import StageTimer
from gluestick.tracking.frames import open_frames
from gluestick.tracking.pictures import TrackPainter, VideoFile
from gluestick.tracking.run import track_into_files
from gluestick.tracking.tracker import Tracker

SIZE = (640, 480)
RATE = 25.0


def write_video(path: Path, photograph: Path, *, number: int) -> None:
    """Write frames in which a photograph drifts, turns and grows."""
    picture = cv2.imread(str(photograph))
    centre = np.array(picture.shape[1::-1]) / 2
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), RATE, SIZE)
    for index in range(number):
        turn, growth = np.deg2rad(0.3 * index), 1 + 0.002 * index
        linear = growth * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        drift = np.array(SIZE) / 2 - linear @ centre + index * np.array([-1.5, 0.5])
        warp = np.column_stack([linear, drift])
        writer.write(cv2.warpAffine(picture, warp, SIZE, borderMode=cv2.BORDER_REFLECT))
    writer.release()


def processor_times(matcher: PointLineMatcher, video: Path, folder: Path) -> None:
    """Print what each stage takes of a processor."""
    timer = StageTimer(time.process_time)
    tracker, painter, source = Tracker(matcher.match), TrackPainter(), iter(open_frames(video))
    number = 0
    first = matcher.extract(next(iter(open_frames(video))).image)
    matcher.match(first, first)  # whatever is done once is done now
    with VideoFile(folder / "drawn.mp4", rate=RATE, size=SIZE) as film:
        while True:
            with timer.stage("reading"):
                frame = next(source, None)
            if frame is None:
                break
            wireframe = matcher.extract(frame.image, timer=timer)
            with timer.stage("matching"):
                shown = tracker.add(frame.number, wireframe)
            with timer.stage("pictures"):
                film.add(painter.draw(frame.image, shown))
            number += 1
    for name, seconds in timer.seconds.items():
        print(f"{name}: {1000 * seconds / number:.1f} ms of a processor a frame")
    tracks = tracker.tracks()
    for kind in ("point", "line"):
        followed = tracks.lengths(kind).sum() / number
        print(f"{kind}s followed: {followed:.0f} in a frame, in {tracks.count(kind)} tracks")


def wall_time(matcher: PointLineMatcher, settings: MatchConfig, video: Path, folder: Path) -> None:
    """Print how many frames a second the command takes."""
    for written in (False, True):
        start = time.process_time()
        done = track_into_files(
            matcher, open_frames(video), folder / "tracks", settings=settings, video=written
        )
        wall, busy = done.seconds["total"], time.process_time() - start
        kind = "with" if written else "without"
        print(
            f"{kind} video: {done.num_frames / wall:.1f} frames a second by the wall clock, "
            f"{1000 * busy / done.num_frames:.0f} ms of the processors a frame"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photograph", type=Path)
    parser.add_argument("settings", nargs="*")
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--config", default="video")
    given = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    config = load_match_config(
        given.config, [*given.settings, "pipeline.view=none"], find_card=matcher_card
    )
    model = load_matcher(config.model, config=config.pipeline)
    assert isinstance(model, PointLineMatcher)
    with tempfile.TemporaryDirectory() as temporary:
        own = Path(temporary)
        write_video(own / "video.mp4", given.photograph, number=given.frames)
        processor_times(model, own / "video.mp4", own)
        wall_time(model, config, own / "video.mp4", own)
