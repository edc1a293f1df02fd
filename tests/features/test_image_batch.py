from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gluestick.features.image_batch import as_image_batch
from gluestick.images.load import load_image
from gluestick.types import Lines


def test_one_of_each_is_a_batch_of_one() -> None:
    batch = as_image_batch(np.zeros((4, 6), np.uint8), masks=np.eye(4, 6), lines=[[[1, 2, 3, 4]]])
    assert [image.shape for image in batch.images] == [(3, 4, 6)]
    assert batch.masks[0].dtype == torch.bool
    assert batch.masks[0].sum() == 4
    assert batch.lines[0].lines.tolist() == [[[1, 2], [3, 4]]]


def test_an_image_may_be_a_file(assets: Path) -> None:
    path = assets / "leuven_a.jpg"
    expected = load_image(path)
    for images in (path, str(path), [path], [str(path)], Image.open(path)):
        batch = as_image_batch(images)
        assert len(batch.images) == 1
        assert torch.equal(batch.images[0], expected)


def test_several_of_each() -> None:
    own = Lines(lines=torch.zeros(0, 2, 2), scores=torch.zeros(0))
    images = [torch.zeros(3, 4, 6), torch.zeros(1, 5, 5)]
    batch = as_image_batch(images, masks=[None, torch.ones(5, 5)], lines=[own, None])
    assert [image.shape for image in batch.images] == [(3, 4, 6), (3, 5, 5)]
    assert batch.masks[0] is None
    assert batch.lines == [own, None]
    second = batch.take(1)
    assert second.images[0] is batch.images[1]
    assert torch.equal(second.masks[0], torch.ones(5, 5, dtype=torch.bool))
    assert second.lines == [None]


def test_a_tensor_of_images_is_a_batch() -> None:
    batch = as_image_batch(torch.zeros(2, 3, 4, 6))
    assert len(batch.images) == 2
    assert (batch.masks, batch.lines) == (None, None)
    assert (batch.take(0).masks, batch.take(0).lines) == (None, None)
    assert as_image_batch([]).images == []


def test_images_may_come_from_a_generator(assets: Path) -> None:
    paths = [assets / f"leuven_{letter}.jpg" for letter in "ab"]
    batch = as_image_batch(
        (Image.open(path) for path in paths), masks=(mask for mask in (None, np.eye(3)))
    )
    for image, path in zip(batch.images, paths, strict=True):
        assert torch.equal(image, load_image(path))
    assert batch.masks[0] is None


def test_a_mask_may_be_a_file_or_a_picture(tmp_path: Path) -> None:
    pixels = np.zeros((4, 6), np.uint8)
    pixels[1:, 2:] = 9
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    with Image.open(tmp_path / "mask.png") as picture:
        for mask in (pixels, torch.from_numpy(pixels), tmp_path / "mask.png", picture):
            (found,) = as_image_batch(np.zeros((4, 6)), masks=mask).masks or ()
            assert found is not None
            assert torch.equal(found, torch.from_numpy(pixels > 0))


def test_errors() -> None:
    for other in (5, object()):
        with pytest.raises(ValueError, match=r"found (int|object)"):
            as_image_batch(other)
    with pytest.raises(ValueError, match="a mask needs the shape"):
        as_image_batch(np.zeros((4, 6)), masks=np.zeros((1, 4, 6)))
    with pytest.raises(ValueError, match=r"a\.jpg"):
        as_image_batch(["a.jpg"])
    for nothing in (None, [None]):
        with pytest.raises(ValueError, match="an image needs to be"):
            as_image_batch(nothing)
    with pytest.raises(ValueError, match="lines need the shape"):
        as_image_batch(torch.zeros(3, 4, 6), lines=np.zeros((2, 3)))


def test_bytes_and_open_files_are_named(assets: Path) -> None:
    path = assets / "leuven_a.jpg"
    with pytest.raises(ValueError, match="found bytes"):
        as_image_batch(path.read_bytes())
    with path.open("rb") as file, pytest.raises(ValueError, match="found BufferedReader"):
        as_image_batch(file)
