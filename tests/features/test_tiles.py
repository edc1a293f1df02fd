import pytest
import torch
from torch import Tensor

from gluestick.checks import ShapeError
from gluestick.features.extractor import FeatureExtractor, FeatureExtractorConfig
from gluestick.features.points.aliked import Aliked, AlikedConfig
from gluestick.features.points.registry import PointDetectorConfig
from gluestick.features.tiles import TileConfig, detect_in_tiles, tiles_of
from gluestick.images import ResizeConfig
from gluestick.types import Points

TILES = TileConfig(size=256, overlap=64)


class CornerDetector:
    """Finds the pixels brighter than 0.5, and describes positions by what the image shows."""

    descriptor_dim = 3

    def detect(
        self, image: Tensor, *, mask: Tensor | None = None, max_num_keypoints: int | None = None
    ) -> Points:
        def describe(positions: Tensor) -> Tensor:
            x, y = positions.round().long().unbind(-1)
            return image[:, y, x].T

        bright = image[0] > 0.5
        y, x = (bright if mask is None else bright & mask).nonzero(as_tuple=True)
        scores, order = image[0, y, x].sort(descending=True)
        keypoints = torch.stack([x, y], dim=1)[order][:max_num_keypoints].float()
        return Points(
            keypoints=keypoints,
            scores=scores[:max_num_keypoints],
            descriptors=describe(keypoints),
            describe=describe,
        )


def speckled(height: int, width: int) -> Tensor:
    """Bright pixels, each of its own brightness, no two nearer than 6 px."""
    image = torch.rand(3, height, width, generator=torch.Generator().manual_seed(0)) / 2
    spots = image[0, 3::6, 4::6]
    image[0, 3::6, 4::6] = 0.6 + torch.linspace(0, 0.3, spots.numel()).view_as(spots)
    return image


@pytest.mark.parametrize("size", [(300, 200), (257, 1), (64, 700), (1000, 999)])
def test_every_pixel_belongs_to_one_tile(size: tuple[int, int]) -> None:
    count = torch.zeros(size[1], size[0])
    for tile in tiles_of(size, config=TILES):
        x0, y0, x1, y1 = tile.core
        left, top, right, bottom = tile.shown
        count[y0:y1, x0:x1] += 1
        assert max(x1 - x0, y1 - y0) <= 256
        assert left == max(0, x0 - 64)
        assert right == min(size[0], x1 + 64)
        assert (top, bottom) == (max(0, y0 - 64), min(size[1], y1 + 64))
    assert (count == 1).all()


@pytest.mark.parametrize("limit", [None, 0, 1, 300])
def test_tiles_give_what_the_whole_image_gives(limit: int | None) -> None:
    image = speckled(300, 700)
    mask = torch.rand(300, 700, generator=torch.Generator().manual_seed(1)) < 0.7
    expected = CornerDetector().detect(image, mask=mask, max_num_keypoints=limit)
    found = detect_in_tiles(
        CornerDetector(), image, mask=mask, max_num_keypoints=limit, config=TILES
    )
    for name in ("keypoints", "scores", "descriptors"):
        assert torch.equal(getattr(found, name), getattr(expected, name))
    positions = torch.tensor([[0.0, 0.0], [699.0, 299.0], [256.0, 127.0], [255.4, 255.6]])
    assert torch.equal(found.describe(positions), expected.describe(positions))
    assert found.describe(positions[:0]).shape == (0, 3)


def test_a_keypoint_on_a_seam_is_found_once() -> None:
    """Of two peaks that close the weaker one is left out, but only across a seam."""
    image = torch.zeros(3, 256, 512)
    image[0, 100, 255], image[0, 100, 256] = 0.8, 0.9
    image[0, 200, 100], image[0, 200, 101] = 0.8, 0.9
    found = detect_in_tiles(
        CornerDetector(), image, mask=None, max_num_keypoints=None, config=TILES
    )
    assert sorted(found.keypoints.tolist()) == [[100, 200], [101, 200], [256, 100]]


def test_aliked_in_tiles_is_close_to_aliked_at_once(leuven: tuple[Tensor, Tensor]) -> None:
    image = leuven[0][:, :512, :704]
    detector = Aliked.from_pretrained(AlikedConfig(max_num_keypoints=300))
    whole = detector.detect(image)
    tiled = detect_in_tiles(detector, image, mask=None, max_num_keypoints=300, config=TILES)
    assert len(tiled.keypoints) == 300
    distance, nearest = torch.cdist(whole.keypoints, tiled.keypoints).min(dim=1)
    same = distance < 1
    assert same.float().mean() > 0.8
    similarity = (whole.descriptors * tiled.descriptors[nearest]).sum(dim=1)[same]
    assert similarity.median() > 0.9
    torch.testing.assert_close(
        tiled.describe(tiled.keypoints[:50]), tiled.descriptors[:50], atol=1e-4, rtol=0
    )


def test_the_extractor_divides_images_that_are_larger(leuven: tuple[Tensor, Tensor]) -> None:
    points = PointDetectorConfig(name="aliked", max_num_keypoints=100)
    resize = ResizeConfig(size=None)
    tiled, whole = (
        FeatureExtractor(FeatureExtractorConfig(points=points, resize=resize, tiles=tiles))
        for tiles in (TILES, TileConfig())
    )
    small = leuven[0][:, :200, :256]
    assert torch.equal(tiled([small]).keypoints, whole([small]).keypoints)
    found = tiled([leuven[0][:, :300, :400]])
    assert found.keypoints.shape == (1, 100, 2)
    assert found.lines.shape[1] > 10
    assert found.describe[0](found.keypoints[0, :3]).shape == (3, 128)


def test_bad_options() -> None:
    for size in (0, 16, 100):
        with pytest.raises(ValueError, match="multiple of 32"):
            TileConfig(size=size)
    with pytest.raises(ValueError, match="overlap"):
        TileConfig(overlap=-32)
    with pytest.raises(ShapeError):
        detect_in_tiles(
            CornerDetector(),
            torch.zeros(3, 300, 300),
            mask=torch.ones(300, 299, dtype=torch.bool),
            max_num_keypoints=None,
            config=TILES,
        )


def test_tiles_follow_from_memory() -> None:
    free = TileConfig()
    assert free.within_memory((9000, 9000), bytes_per_pixel=300) is free
    tiles = TileConfig(memory=300 * 1000**2)
    assert tiles.within_memory((1000, 1000), bytes_per_pixel=300) is tiles
    assert tiles.within_memory((1001, 1000), bytes_per_pixel=300).size == 864
    assert tiles.within_memory((1000, 1000), bytes_per_pixel=1200).size == 352
    both = TileConfig(memory=300 * 1000**2, size=512)
    assert both.within_memory((9000, 9000), bytes_per_pixel=300) is both
    assert both.within_memory((9000, 9000), bytes_per_pixel=1200).size == 352
    with pytest.raises(ValueError, match="tiles of 32 px need 26 MB, and the memory"):
        TileConfig(memory=1e6).within_memory((9000, 9000), bytes_per_pixel=1000)
    with pytest.raises(ValueError, match="positive memory"):
        TileConfig(memory=0)


def test_an_extractor_keeps_to_its_memory() -> None:
    image = torch.rand(3, 320, 640, generator=torch.Generator().manual_seed(0))

    def found(tiles: TileConfig) -> Tensor:
        config = FeatureExtractorConfig(
            points=PointDetectorConfig(name="aliked", max_num_keypoints=40), tiles=tiles
        )
        return FeatureExtractor(config).eval().detect_points(image).keypoints

    by_memory = found(TileConfig(memory=310 * (288 + 2 * 64) ** 2))
    assert torch.equal(by_memory, found(TileConfig(size=288)))
    assert not torch.equal(by_memory, found(TileConfig()))


def test_two_images_at_a_time_take_more_than_twice_one() -> None:
    sizes = [(2000, 1600), (1000, 800)]
    one = 310 * 2000 * 1600
    assert TileConfig().has_room_for(sizes, bytes_per_pixel=310)
    assert not TileConfig(memory=2.5 * one).has_room_for(sizes, bytes_per_pixel=310)
    assert TileConfig(memory=3.0 * one).has_room_for(sizes, bytes_per_pixel=310)
