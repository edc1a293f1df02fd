from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from posed_scenes import CAMERA, SIZE, pair_line, save_image

from gluestick.datasets.posed.depth_views import DepthView, list_depth_pairs, read_depth_png


def test_depth_maps_keep_their_pixels_and_unit(tmp_path: Path) -> None:
    path = tmp_path / "depth.png"
    cv2.imwrite(str(path), np.array([[0, 1500], [65535, 256]], dtype=np.uint16))
    depth = read_depth_png(path, unit=1e-3)
    assert depth.dtype == np.float32
    np.testing.assert_allclose(depth, [[0, 1.5], [65.535, 0.256]], rtol=1e-6)
    assert read_depth_png(path, unit=1 / 256)[1, 1] == 1


def test_what_is_no_depth_map(tmp_path: Path) -> None:
    path = tmp_path / "depth.png"
    with pytest.raises(ValueError, match="nothing readable"):
        read_depth_png(path, unit=1.0)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="nothing readable"):
        read_depth_png(path, unit=1.0)
    cv2.imwrite(str(path), np.zeros((2, 2), dtype=np.uint8))
    with pytest.raises(ValueError, match="uint8"):
        read_depth_png(path, unit=1.0)


def test_pairs_of_a_folder(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        save_image(tmp_path / "images" / f"{name}.jpg")
        (tmp_path / "depths").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / "depths" / f"{name}.png"), np.ones(SIZE[::-1], np.uint16))
    lines = [pair_line("a.jpg", "b.jpg"), pair_line("b.jpg", "c.jpg", quarters=(0, 1))]
    (tmp_path / "pairs_with_gt.txt").write_text("\n".join(lines))
    first, second = list_depth_pairs(tmp_path)
    assert (first.name, second.name) == ("a.jpg|b.jpg", "b.jpg|c.jpg")
    assert second.view1.turn() == 270
    assert second.view1.load_image().shape == (3, *SIZE)
    assert first.view0.read_depth().shape == SIZE[::-1]


@pytest.mark.parametrize(("orientation", "shape"), [(1, (3, 60, 80)), (6, (3, 80, 60))])
def test_resized_views(tmp_path: Path, orientation: int, shape: tuple[int, ...]) -> None:
    path = tmp_path / "image.png"
    save_image(path, orientation=orientation)
    depth = partial(np.ones, (60, 80), np.float32)
    view = DepthView(image=path, read_depth=depth, camera=CAMERA, image_size=(80, 60))
    image = view.load_image()
    assert image.shape == shape
    assert 0 <= float(image.min()) <= float(image.max()) <= 1
