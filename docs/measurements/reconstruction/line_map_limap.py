"""Our line map beside LIMAP's, from the same segments, matches and surveyed poses.

Usage, in LIMAP's environment (see ``docs/how_to/limap.md``):
``python docs/measurements/reconstruction/line_map_limap.py SCENE [SCENE ...] --output DIR``.
Scenes, matches and "left out" are those of ``line_map.py``, whose DIR it shares. Neither is given
points; both use one thread and their defaults. The error is the mean distance of the ends of a
track's segments from the projected line.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pycolmap
import torch
from limap.geometry import Line2d
from limap.scene import Structure2d, StructureDatabase
from limap.sfm import GlobalLineTriangulationOptions
from limap.sfm.pipelines import global_line_triangulation
from line_map import Maker, Scene, left_out_errors, one_to_one, read_scene
from true_models import write_true_model

from gluestick.geometry.lines import line_normals
from gluestick.geometry.pixels import centre_to_corner
from gluestick.geometry.projection import project_points
from gluestick.reconstruction.lines import LineMap, make_line_map
from gluestick.types import Camera


def our_map(scene: Scene) -> LineMap:
    """Return this package's line map."""
    return make_line_map(scene.views, scene.matches)


def limap_maker(folder: Path, *, min_length: float | None = None) -> Maker:
    """Return what makes LIMAP's map of the scene in a folder.

    Args:
        folder: The scene.
        min_length: Shorter segments are left out, px; None for LIMAP's own 20.
    """

    def make(scene: Scene) -> LineMap:
        with tempfile.TemporaryDirectory() as scratch:
            names = [view.name for view in scene.views]
            model = pycolmap.Reconstruction(
                write_true_model(folder, Path(scratch) / "model", names=names)
            )
            database = Path(scratch) / "structures.db"
            write_scene(scene, database)
            options = GlobalLineTriangulationOptions()
            options.num_threads = 1
            if min_length is not None:
                options.min_length_2d = min_length
            made = global_line_triangulation(model, database, options, None)
        return as_line_map(list(made.structure_recon.lines3D.values()))

    return make


def write_scene(scene: Scene, path: Path) -> None:
    """Write segments and matches for LIMAP, whose numbers of images count from 1."""
    with StructureDatabase.open(path) as database:
        for number, view in enumerate(scene.views, start=1):
            structure = Structure2d()
            structure.set_lines([Line2d(*ends) for ends in centre_to_corner(view.lines)])
            database.write_structure2d(number, structure)
        for each in scene.matches:
            pairs = np.unique(each.pairs, axis=0).astype(np.uint32)
            database.write_line_matches(each.view0 + 1, each.view1 + 1, pairs)


def as_line_map(lines: list) -> LineMap:
    """Return LIMAP's lines as a line map, without errors and uncertainties."""
    observations = {
        (number, element.image_id - 1, element.point2D_idx)
        for number, line in enumerate(lines)
        for element in line.track.elements
    }
    return LineMap(
        segments=np.array([[line.start, line.end] for line in lines]).reshape(-1, 2, 3),
        errors=np.zeros(len(lines)),
        uncertainties=np.zeros(len(lines)),
        observations=np.array(sorted(observations), np.int64).reshape(-1, 3),
    )


def track_errors(scene: Scene, lines: LineMap) -> np.ndarray:
    """Return the mean distance of each track's segments from the projected line, [N] px."""
    sums, counts = np.zeros(len(lines)), np.zeros(len(lines))
    for number, view in enumerate(scene.views):
        rows, segments = lines.observations[lines.observations[:, 1] == number][:, [0, 2]].T
        projected, _ = project_points(lines.segments[rows], view.pose, Camera(K=view.K))
        offsets = view.lines[segments] - projected[:, :1]
        distances = np.abs(np.einsum("nei,ni->ne", offsets, line_normals(projected)))
        np.add.at(sums, rows, distances.mean(axis=1))
        np.add.at(counts, rows, 1)
    return sums / counts


def print_row(scene: Scene, by: str, matches: str, make: Maker) -> None:
    """Print a row of the table."""
    start = time.perf_counter()
    lines = make(scene)
    seconds = time.perf_counter() - start
    left_out = left_out_errors(scene, make)
    views = lines.num_views
    print(
        f"| {scene.name.removeprefix('strecha_')} | {matches} | {by} | {len(lines)} "
        f"| {np.median(views):.0f} | {views.mean():.1f} "
        f"| {track_errors(scene, lines).mean():.2f} | {len(left_out)} "
        f"| {np.median(left_out[:, 0]):.2f} | {100 * (left_out[:, 0] < 2).mean():.1f}% "
        f"| {np.median(left_out[:, 1]):.2f} | {seconds:.1f} |",
        flush=True,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenes", type=Path, nargs="+")
    parser.add_argument("--output", type=Path, default=Path("output/line-map"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    pycolmap.logging.minloglevel = 2
    print(
        "| scene | matches | by | lines | views: median | mean | error, px | left out: lines "
        "| distance, px | below 2 px | angle, degrees | s |"
    )
    print("|---" * 12 + "|")
    for folder in arguments.scenes:
        many = read_scene(folder, arguments.output, "aliked-lsd")
        one = Scene(many.name, many.views, [one_to_one(each) for each in many.matches], {})
        for matches, scene in (("many to many", many), ("one to one", one)):
            print_row(scene, "this package", matches, our_map)
            print_row(scene, "LIMAP", matches, limap_maker(folder))
            label = "LIMAP, short segments too"
            print_row(scene, label, matches, limap_maker(folder, min_length=0))


if __name__ == "__main__":
    main()
