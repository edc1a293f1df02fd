"""Seconds and memory of a large line map, of synthetic segments.

Usage: ``python docs/measurements/reconstruction/line_map_speed.py [--views 150] [--lines 600]``.
Cameras on an arc see all segments, with noise of 0.3 px; each is matched with the ten that follow
it, and a fifth of the matches is wrong.
"""

import argparse
import resource
import time

import numpy as np

from gluestick.geometry.projection import project_points
from gluestick.reconstruction.lines import LineMatches, LineView, make_line_map
from gluestick.types import Camera, Pose

K = np.array([[800.0, 0, 512], [0, 800, 384], [0, 0, 1]])
FOLLOWERS = 10


def scene(num_views: int, num_lines: int) -> tuple[list[LineView], list[LineMatches]]:
    """Return the views and their matches."""
    rng = np.random.default_rng(0)
    middles, steps = rng.uniform(-1.2, 1.2, (num_lines, 3)), rng.normal(0, 0.2, (num_lines, 3))
    segments = np.stack([middles - steps, middles + steps], axis=1)
    views = []
    for number, angle in enumerate(np.linspace(-0.9, 0.9, num_views)):
        sine, cosine = np.sin(angle), np.cos(angle)
        R = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
        pose = Pose(R=R, t=np.array([0, 0.3 * np.cos(3 * number), 5]))
        lines = project_points(segments, pose, Camera(K=K))[0]
        lines += rng.normal(0, 0.3, lines.shape)
        views.append(LineView(name=str(number), K=K, pose=pose, lines=lines))
    matches = []
    for first in range(num_views):
        for second in range(first + 1, min(first + FOLLOWERS + 1, num_views)):
            pairs = np.tile(np.arange(num_lines)[:, None], 2)
            wrong = rng.random(num_lines) < 0.2
            pairs[wrong, 1] = rng.integers(0, num_lines, wrong.sum())
            scores = rng.uniform(0.5, 1, num_lines)
            matches.append(LineMatches(view0=first, view1=second, pairs=pairs, scores=scores))
    return views, matches


def main() -> None:
    """Print what it takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--views", type=int, default=150)
    parser.add_argument("--lines", type=int, default=600)
    arguments = parser.parse_args()
    views, matches = scene(arguments.views, arguments.lines)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    found = make_line_map(views, matches)
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    total = sum(len(each.pairs) for each in matches)
    print(
        f"{len(matches)} pairs, {total} matches: {len(found)} lines, {seconds:.1f} s, "
        f"{peak / 1024:.0f} MiB"
    )


if __name__ == "__main__":
    main()
