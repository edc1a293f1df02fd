from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gluestick.reconstruction.colmap.database import open_database
from gluestick.reconstruction.colmap.images import CameraOptions, add_images
from gluestick.reconstruction.known_cameras import KnownCamera

pytest.importorskip("pycolmap")

SIZE = (64, 48)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A plain image, one in a folder, a WebP image, and two of one camera with GPS."""
    photographs = tmp_path / "photographs"
    (photographs / "sub").mkdir(parents=True)
    image = Image.fromarray(np.zeros((48, 64, 3), np.uint8))
    for name in ("a.jpg", "sub/b c.png", "w.webp"):
        image.save(photographs / name)
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112] = "Maker", "Model", 6
    exif.get_ifd(0x8769)[0xA405] = 35
    exif.get_ifd(0x8825).update({1: "N", 2: (50, 30, 0), 3: "E", 4: (4, 15, 0), 6: 100.0})
    for name in ("e.jpg", "f.jpg"):
        image.save(photographs / name, exif=exif)
    return photographs


def sizes(*names: str) -> dict[str, tuple[int, int]]:
    return dict.fromkeys(names, SIZE)


ALL = ("a.jpg", "e.jpg", "f.jpg", "sub/b c.png", "w.webp")


def test_cameras_are_those_that_colmap_reads(folder: Path, tmp_path: Path) -> None:
    with open_database(tmp_path / "d.db") as database:
        ids = add_images(database, folder, sizes(*ALL))
        images = {name: database.read_image(number) for name, number in ids.items()}
        cameras = {name: database.read_camera(image.camera_id) for name, image in images.items()}
        priors = database.read_all_pose_priors()
        assert database.num_frames() == len(ALL)
        assert database.num_rigs() == database.num_cameras() == 4
        assert all(image.has_frame_id() for image in images.values())
    assert set(ids) == set(ALL)
    assert cameras["e.jpg"].camera_id == cameras["f.jpg"].camera_id
    assert cameras["e.jpg"].has_prior_focal_length
    assert cameras["e.jpg"].mean_focal_length() == pytest.approx(35 / 43.27 * 80, rel=0.12)
    for name in ("a.jpg", "w.webp"):
        assert not cameras[name].has_prior_focal_length
        assert cameras[name].params.tolist() == pytest.approx([1.2 * 64, 32, 24, 0])
    assert {prior.corr_data_id.id for prior in priors} == {ids["e.jpg"], ids["f.jpg"]}
    np.testing.assert_allclose(priors[0].position, (50.5, 4.25, 100.0))


def test_known_cameras_are_shared_and_others_read(folder: Path, tmp_path: Path) -> None:
    known = KnownCamera("PINHOLE", (70.0, 71.0, 32.5, 24.5), SIZE)
    with open_database(tmp_path / "d.db") as database:
        names = ("a.jpg", "w.webp", "sub/b c.png")
        ids = add_images(database, folder, sizes(*ALL), known=dict.fromkeys(names[:2], known))
        cameras = [database.read_camera(database.read_image(ids[name]).camera_id) for name in names]
    assert [camera.model_name for camera in cameras] == ["PINHOLE", "PINHOLE", "SIMPLE_RADIAL"]
    for camera in cameras[:2]:
        assert camera.params.tolist() == pytest.approx(list(known.params))
        assert camera.has_prior_focal_length


def test_what_a_database_holds_stays(folder: Path, tmp_path: Path) -> None:
    with open_database(tmp_path / "d.db") as database:
        first = add_images(database, folder, sizes("a.jpg", "e.jpg"))
        database.write_keypoints(first["a.jpg"], np.ones((5, 2), np.float32))
        before = [str(camera) for camera in database.read_all_cameras()]
        again = add_images(database, folder, sizes("a.jpg", "f.jpg"))
        assert again["a.jpg"] == first["a.jpg"]
        assert [str(camera) for camera in database.read_all_cameras()][:2] == before
        assert database.num_images() == 3
        assert database.num_keypoints_for_image(first["a.jpg"]) == 5


@pytest.mark.parametrize(("sharing", "number"), [("single", 2), ("folder", 3), ("image", 5)])
def test_who_shares_a_camera(folder: Path, tmp_path: Path, sharing: str, number: int) -> None:
    """WebP is not read by pycolmap and has a camera of its own."""
    options = CameraOptions(sharing=sharing)
    with open_database(tmp_path / "d.db") as database:
        add_images(database, folder, sizes(*ALL), options=options)
        assert database.num_cameras() == number


def test_cameras_that_do_not_fit_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="camera sharing needs to be auto, single"):
        CameraOptions(sharing="both")
    with open_database(tmp_path / "d.db") as database:
        with pytest.raises(ValueError, match="no camera model ROUND"):
            add_images(database, folder, sizes("a.jpg"), options=CameraOptions(model="ROUND"))
        known = {"a.jpg": KnownCamera("PINHOLE", (70.0, 71.0, 32.5, 24.5), (99, 48))}
        with pytest.raises(ValueError, match=r"camera of a\.jpg is for 99 x 48 px"):
            add_images(database, folder, sizes("a.jpg"), known=known)
        add_images(database, folder, sizes("a.jpg"))
        with pytest.raises(ValueError, match=r"64 x 48 px for a\.jpg, which has 32 x 24 px"):
            add_images(database, folder, {"a.jpg": (32, 24)})
