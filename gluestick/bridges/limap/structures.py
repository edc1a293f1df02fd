"""LIMAP's database of structures, from the files of ``gluestick export`` and a COLMAP model."""

from itertools import combinations
from os import PathLike
from typing import Any

from gluestick.bridges.limap.extractor import INSTALL
from gluestick.bridges.limap.line_matches import line_matches
from gluestick.bridges.limap.undistorted import undistorted_points, without_distortion
from gluestick.bridges.programs import import_program
from gluestick.export.arrays import Arrays
from gluestick.export.features_h5 import FeaturesReader
from gluestick.export.matches_h5 import MatchesReader
from gluestick.geometry.pixels import centre_to_corner
from gluestick.storage.atomic import atomic_path


def write_structures(
    path: str | PathLike[str],
    model: Any,
    features: str | PathLike[str],
    matches: str | PathLike[str],
    *,
    topk: int = 0,
) -> Any:
    """Write the lines of a model's images, their junctions and their matches.

    Lines are undistorted by their ends. Where an image of the model has the keypoints of the
    feature file, as in the models of ``gluestick reconstruct``, LIMAP is told which of them are at
    the ends of which lines.

    Args:
        path: The database for LIMAP's triangulation, which takes the place of an earlier one.
        model: A ``pycolmap.Reconstruction``, with any of COLMAP's camera models.
        features: ``features.h5``, which has the images of the model.
        matches: ``matches.h5``; pairs that it lacks are left out.
        topk: 0 for matches one to one, or with how many lines each is matched at most.

    Returns:
        The model without distortion, for LIMAP's triangulation.

    Raises:
        ValueError: If an image is not in the feature file, a file is damaged, or matches many to
            many are asked for and not there.
        OSError: If the database cannot be written.
    """
    scene = import_program("limap.scene", install=INSTALL)
    images = dict(sorted(model.images.items()))
    with (
        FeaturesReader(features) as found,
        MatchesReader(matches) as matched,
        atomic_path(path) as temporary,
        scene.StructureDatabase.open(temporary) as database,
    ):
        for number, image in images.items():
            structure = _structure(
                found.read(image.name),
                model.cameras[image.camera_id],
                num_points=image.num_points2D(),
            )
            database.write_structure2d(number, structure)
        for number0, number1 in combinations(images, 2):
            pair = images[number0].name, images[number1].name
            if pair in matched:
                pairs, _ = line_matches(matched.read(*pair), topk=topk)
                database.write_line_matches(number0, number1, pairs.astype("uint32"))
    return without_distortion(model)


def _structure(arrays: Arrays, camera: Any, *, num_points: int) -> Any:
    """Return LIMAP's ``Structure2d`` of an image."""
    scene = import_program("limap.scene", install=INSTALL)
    geometry = import_program("limap.geometry", install=INSTALL)
    structure = scene.Structure2d()
    structure.set_num_points(num_points)
    lines = undistorted_points(centre_to_corner(arrays["lines"]), camera)
    structure.set_lines([geometry.Line2d(start, end) for start, end in lines])
    if num_points == len(arrays["keypoints"]):
        wireframe = scene.Wireframe2d()
        for line, ends in enumerate(arrays["line_junctions"].tolist()):
            for junction in set(ends):
                wireframe.add_edge(junction, line, 1.0)
        structure.set_wireframe(wireframe)
    return structure
