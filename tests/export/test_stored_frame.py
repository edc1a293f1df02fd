from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from gluestick.export.stored_frame import in_stored_frame, stored_pixels, upright_frame
from gluestick.images.decode import upright
from gluestick.images.rotation import turned_frame
from gluestick.viewpoint.wireframe_view import wireframe_in_view


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pixels_lie_where_the_frame_says(orientation: int) -> None:
    pixels = np.arange(15, dtype=np.uint8).reshape(3, 5)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(pixels)
    stored.info["exif"] = exif.tobytes()
    stored.getexif()[0x0112] = orientation
    upright = np.asarray(ImageOps.exif_transpose(stored))
    frame = upright_frame((5, 3), orientation=orientation)
    if frame is None:
        assert orientation == 1
        return
    assert frame.size == upright.shape[::-1]
    y, x = np.indices(pixels.shape)
    to = frame.from_original(np.stack([x, y], axis=-1).astype(float)).astype(int)
    np.testing.assert_array_equal(upright[to[..., 1], to[..., 0]], pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("turn", [0.0, 90.0, 180.0, -90.0])
def test_features_match_in_the_view_in_which_they_were_found(
    wireframe_factory: Callable, orientation: int, turn: float
) -> None:
    upright = replace(wireframe_factory([7], [3]), views=(turned_frame((200, 100), angle=turn),))
    stored = in_stored_frame(upright, orientation=orientation)
    swapped = orientation in (5, 6, 7, 8)
    assert stored.image_size.tolist() == [[100, 200] if swapped else [200, 100]]
    if orientation != 1:
        assert not torch.equal(stored.keypoints, upright.keypoints)
    expected, found = wireframe_in_view(upright), wireframe_in_view(stored)
    assert torch.equal(found.image_size, expected.image_size)
    for name in ("keypoints", "lines", "detected_lines"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), rtol=0, atol=1e-4)


def test_no_features(wireframe_factory: Callable) -> None:
    empty = in_stored_frame(wireframe_factory([0], [0]), orientation=6)
    assert empty.keypoints.shape == (1, 0, 2)
    assert empty.image_size.tolist() == [[100, 200]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pixels_are_as_stored(orientation: int) -> None:
    stored = torch.rand(3, 4, 5)
    seen = upright(stored.movedim(0, -1).numpy(), orientation)
    image = torch.from_numpy(seen.copy()).movedim(-1, 0)
    assert torch.equal(stored_pixels(image, orientation=orientation), stored)
    mask = torch.from_numpy(upright((stored[0] > 0.5).numpy(), orientation).copy())
    assert torch.equal(stored_pixels(mask, orientation=orientation), stored[0] > 0.5)
