"""LIMAP's database of structures, from the files of ``gluestick export`` and a COLMAP model."""

from itertools import combinations
from os import PathLike
from typing import Any

from gluestick.bridges.limap.extractor import INSTALL
from gluestick.bridges.limap.line_matches import line_matches
from gluestick.bridges.programs import import_program
from gluestick.export.arrays import Arrays
from gluestick.export.features_h5 import FeaturesReader
from gluestick.export.matches_h5 import MatchesReader
from gluestick.geometry.pixels import centre_to_corner
from gluestick.storage.atomic import atomic_path

UNDISTORTED = ("PINHOLE", "SIMPLE_PINHOLE")


def write_structures(
    path: str | PathLike[str],
    reconstruction: Any,
    features: str | PathLike[str],
    matches: str | PathLike[str],
    *,
    topk: int = 0,
) -> None:
    """Write the lines of a model's images, their junctions and their matches.

    Where an image of the model has the keypoints of the feature file, as in the models of
    ``gluestick reconstruct``, LIMAP is told which of them are at the ends of which lines.

    Args:
        path: The database for LIMAP's triangulation, which takes the place of an earlier one.
        reconstruction: A ``pycolmap.Reconstruction`` with undistorted cameras.
        features: ``features.h5``, which has the images of the model.
        matches: ``matches.h5``; pairs that it lacks are left out.
        topk: 0 for matches one to one, or with how many lines each is matched at most.

    Raises:
        ValueError: If a camera has distortion, an image is not in the feature file, a file is
            damaged, or matches many to many are asked for and not there.
        OSError: If the database cannot be written.
    """
    _check_cameras(reconstruction)
    scene = import_program("limap.scene", install=INSTALL)
    names = {number: image.name for number, image in sorted(reconstruction.images.items())}
    with (
        FeaturesReader(features) as found,
        MatchesReader(matches) as matched,
        atomic_path(path) as temporary,
        scene.StructureDatabase.open(temporary) as database,
    ):
        for number, name in names.items():
            num_points = reconstruction.images[number].num_points2D()
            structure = _structure(found.read(name), num_points=num_points)
            database.write_structure2d(number, structure)
        for (number0, name0), (number1, name1) in combinations(names.items(), 2):
            if (name0, name1) not in matched:
                continue
            pairs, _ = line_matches(matched.read(name0, name1), topk=topk)
            database.write_line_matches(number0, number1, pairs.astype("uint32"))


def _check_cameras(reconstruction: Any) -> None:
    for number, camera in reconstruction.cameras.items():
        if camera.model_name not in UNDISTORTED:
            raise ValueError(
                f"LIMAP needs undistorted images, and camera {number} is {camera.model_name}: "
                "reconstruct with --undistort, then the folder undistorted/images with --model "
                "undistorted/sparse"
            )


def _structure(arrays: Arrays, *, num_points: int) -> Any:
    """Return LIMAP's ``Structure2d`` of an image."""
    scene = import_program("limap.scene", install=INSTALL)
    geometry = import_program("limap.geometry", install=INSTALL)
    structure = scene.Structure2d()
    structure.set_num_points(num_points)
    lines = centre_to_corner(arrays["lines"].astype("float64"))
    structure.set_lines([geometry.Line2d(start, end) for start, end in lines])
    if num_points == len(arrays["keypoints"]):
        wireframe = scene.Wireframe2d()
        for line, ends in enumerate(arrays["line_junctions"].tolist()):
            for junction in set(ends):
                wireframe.add_edge(junction, line, 1.0)
        structure.set_wireframe(wireframe)
    return structure
