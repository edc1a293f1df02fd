"""Exported features in COLMAP's own frame: what pycolmap imports is triangulated."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from gluestick.export import export_hloc_folder, read_features_h5, read_matches_h5
from gluestick.pipeline import PointLineMatcher

FOCAL, SIZE, DISTANCE = 500.0, (480, 360), 4.0
STORED = {
    1: (0, np.eye(3)),
    3: (2, np.diag([-1.0, -1.0, 1.0])),
    6: (1, np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])),
    8: (3, np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])),
}
"""By EXIF orientation: how often the upright pixels are turned by 90 degrees against the clock to
be stored, and how the axes of the camera turn with them."""


def poses() -> list[tuple[np.ndarray, np.ndarray]]:
    turned, _ = cv2.Rodrigues(np.array([0.02, -0.15, 0.03]))
    return [(np.eye(3), np.zeros(3)), (turned, np.array([-0.9, 0.1, 0.05]))]


def seen_plane(texture: np.ndarray, rotation: np.ndarray, translation: np.ndarray) -> np.ndarray:
    """Render the plane z = DISTANCE, on which the texture is 6 units wide."""
    height, width = texture.shape[:2]
    unit = 6.0 / width
    to_plane = np.array(
        [[unit, 0, -unit * (width - 1) / 2], [0, unit, -unit * (height - 1) / 2], [0, 0, 1]]
    )
    place = rotation @ np.array([0, 0, DISTANCE]) + translation
    to_camera = np.stack([rotation[:, 0], rotation[:, 1], place], axis=1)
    centre = [(length - 1) / 2 for length in SIZE]
    intrinsics = np.array([[FOCAL, 0, centre[0]], [0, FOCAL, centre[1]], [0, 0, 1]])
    return cv2.warpPerspective(texture, intrinsics @ to_camera @ to_plane, SIZE)


def write_images(folder: Path, assets: Path, orientations: tuple[int, int]) -> None:
    texture = np.asarray(Image.open(assets / "graffiti_a.jpg").convert("RGB"))
    for name, pose, orientation in zip("ab", poses(), orientations, strict=True):
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored = np.rot90(seen_plane(texture, *pose), STORED[orientation][0])
        Image.fromarray(stored).save(folder / f"{name}.jpg", exif=exif, quality=97)


@pytest.mark.parametrize("orientations", [(1, 6), (8, 1), (3, 3), (6, 8)])
def test_colmap_triangulates_what_was_exported(
    small_matcher: PointLineMatcher, assets: Path, tmp_path: Path, orientations: tuple[int, int]
) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    folder = tmp_path / "images"
    folder.mkdir()
    write_images(folder, assets, orientations)
    names = ("a.jpg", "b.jpg")
    written = export_hloc_folder(small_matcher, folder, [names], tmp_path, model="small")
    features = [read_features_h5(written.features, name) for name in names]
    matches = read_matches_h5(written.matches, *names)["matches0"]
    matched = np.flatnonzero(matches > -1)
    assert len(matched) > 40

    database = tmp_path / "database.db"
    pycolmap.Database.open(str(database)).close()
    for name, own in zip(names, features, strict=True):
        width, height = own["image_size"].tolist()
        options = pycolmap.ImageReaderOptions(
            camera_model="PINHOLE", camera_params=f"{FOCAL},{FOCAL},{width / 2},{height / 2}"
        )
        pycolmap.import_images(
            str(database), str(folder), pycolmap.CameraMode.PER_IMAGE, [name], options
        )
    reconstruction = pycolmap.Reconstruction()
    with pycolmap.Database.open(str(database)) as stored:
        images = sorted(stored.read_all_images(), key=lambda image: image.name)
        for image, own, pose, orientation in zip(
            images, features, poses(), orientations, strict=True
        ):
            camera = stored.read_camera(image.camera_id)
            assert [camera.width, camera.height] == own["image_size"].tolist()
            keypoints = own["keypoints"] + 0.5
            stored.write_keypoints(image.image_id, keypoints)
            turn = STORED[orientation][1]
            reconstruction.add_camera_with_trivial_rig(camera)
            reconstruction.add_image_with_trivial_frame(
                pycolmap.Image(
                    name=image.name,
                    keypoints=keypoints.astype(float),
                    camera_id=image.camera_id,
                    image_id=image.image_id,
                ),
                pycolmap.Rigid3d(pycolmap.Rotation3d(turn @ pose[0]), turn @ pose[1]),
            )
        pairs = np.stack([matched, matches[matched]], axis=1).astype(np.uint32)
        stored.write_matches(images[0].image_id, images[1].image_id, pairs)
    (tmp_path / "pairs.txt").write_text(" ".join(names) + "\n")
    pycolmap.verify_matches(str(database), str(tmp_path / "pairs.txt"))
    (tmp_path / "model").mkdir()
    options = pycolmap.IncrementalPipelineOptions()
    options.triangulation.ignore_two_view_tracks = False
    model = pycolmap.triangulate_points(
        reconstruction, str(database), str(folder), str(tmp_path / "model"), options=options
    )
    points = np.array([point.xyz for point in model.points3D.values()])
    assert len(points) > 0.8 * len(matched)
    assert np.median(np.abs(points[:, 2] - DISTANCE)) < 0.02
    assert model.compute_mean_reprojection_error() < 0.6
