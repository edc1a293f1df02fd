import numpy as np
import pytest
import torch
from PIL import Image

from gluestick.visualization import (
    draw_features,
    draw_line_matches,
    draw_point_matches,
    save_picture,
)


def saturated(picture):
    return (np.ptp(picture.astype(int), axis=2) > 100).sum()


def test_point_matches(pair):
    arguments = (*pair.images, *pair.keypoints, pair.matches)
    plain = draw_point_matches(*arguments)
    assert plain.dtype == np.uint8
    assert plain.shape[1:] == (1600, 3)
    inliers = np.arange(20) < 10
    with_outliers = draw_point_matches(*arguments, inliers=inliers)
    assert saturated(plain) > saturated(with_outliers)
    all_outliers = draw_point_matches(*arguments, inliers=~(inliers | True))
    assert saturated(with_outliers) > saturated(all_outliers) > 0


def test_line_matches(pair):
    arguments = (*pair.images, *pair.lines, pair.line_matches)
    plain = draw_line_matches(*arguments, width=1200)
    assert plain.shape[1:] == (1200, 3)
    outliers = draw_line_matches(*arguments, inliers=np.zeros(6, bool), width=1200)
    assert saturated(plain) > saturated(outliers) > 0


def test_a_match_has_one_colour_in_both_images():
    black = np.zeros((60, 80), np.uint8)
    points, lines = np.array([[40.0, 30]]), np.array([[[10.0, 30], [70, 30]]])
    for picture in (
        draw_line_matches(black, black, lines, lines[:, ::-1], [0], width=1200),
        draw_point_matches(black, black, points, points, [0], width=1200),
    ):
        most_frequent = []
        for half in (picture[:400, :597], picture[:400, 603:]):
            vivid = half[np.ptp(half.astype(int), axis=2) > 100]
            colors, counts = np.unique(vivid, axis=0, return_counts=True)
            most_frequent.append(colors[counts.argmax()].tolist())
        assert most_frequent[0] == most_frequent[1]


def test_unmatched_features_are_drawn(pair):
    nothing, no_lines = np.full(40, -1), np.full(12, -1)
    empty, no_line = np.zeros((0, 2)), np.zeros((0, 2, 2))
    with_points = draw_point_matches(*pair.images, *pair.keypoints, nothing)
    without = draw_point_matches(*pair.images, empty, empty, [])
    assert (with_points != without).any()
    with_lines = draw_line_matches(*pair.images, *pair.lines, no_lines)
    without = draw_line_matches(*pair.images, no_line, no_line, [])
    assert (with_lines != without).any()


@pytest.mark.parametrize(
    ("shape0", "shape1"),
    [((1, 1), (1, 1)), ((1, 5000), (5000, 1)), ((30, 40, 3), (480, 640)), ((10, 900), (10, 900))],
)
def test_images_of_all_sizes(shape0, shape1):
    images = np.full(shape0, 200, np.uint8), np.full(shape1, 50, np.uint8)
    points = np.zeros((1, 2))
    lines = np.zeros((1, 2, 2))
    draw_point_matches(*images, points, points, [0], inliers=[True])
    draw_line_matches(*images, lines, lines, [0], inliers=[False])
    draw_features(images[0], points, lines)


def test_features_far_outside_do_no_harm(pair):
    far = np.array([[-1e30, 1e30], [1e5, -1e5]])
    draw_point_matches(*pair.images, far, far, [1, 0], inliers=[True, False])
    lines = np.stack([far, far])
    draw_line_matches(*pair.images, lines, lines, [1, 0], inliers=[True, False])


def test_tensors_give_the_same_pictures(pair):
    images = [torch.from_numpy(image).permute(2, 0, 1) / 255 for image in pair.images]
    keypoints = [torch.from_numpy(values) for values in pair.keypoints]
    np.testing.assert_array_equal(
        draw_point_matches(*images, *keypoints, torch.from_numpy(pair.matches)),
        draw_point_matches(
            *pair.images, *[k.numpy().astype(np.float32) for k in keypoints], pair.matches
        ),
    )


def test_inputs_are_left_alone(pair):
    images = [image.copy() for image in pair.images]
    draw_point_matches(*pair.images, *pair.keypoints, pair.matches)
    for image, before in zip(pair.images, images, strict=True):
        np.testing.assert_array_equal(image, before)


def test_features(pair):
    picture = draw_features(pair.images[0], pair.keypoints[0], pair.lines[0])
    assert picture.shape[1:] == (1200, 3)
    nothing = draw_features(pair.images[0], np.zeros((0, 2)), np.zeros((0, 2, 2)))
    assert (picture != nothing)[:800].any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keypoints0": np.zeros((40, 3))}, "keypoints0"),
        ({"matches0": np.zeros(39, int)}, "matches0"),
        ({"matches0": np.full(40, 40)}, "from -1 to 39"),
        ({"inliers": np.ones(40, bool)}, "each of the 20 matches"),
        ({"width": 10}, "at least 200 px"),
        ({"image0": np.zeros((0, 0))}, "an image needs"),
    ],
)
def test_wrong_arguments_are_rejected(pair, changes, message):
    arguments = {
        "image0": pair.images[0],
        "image1": pair.images[1],
        "keypoints0": pair.keypoints[0],
        "keypoints1": pair.keypoints[1],
        "matches0": pair.matches,
    }
    with pytest.raises(ValueError, match=message):
        draw_point_matches(**(arguments | changes))


def test_save_picture(tmp_path, pair, monkeypatch):
    path = tmp_path / "new" / "points.png"
    save_picture(path, pair.images[0])
    with Image.open(path) as image:
        assert image.format == "PNG"
        np.testing.assert_array_equal(np.asarray(image), pair.images[0])
    before = path.read_bytes()

    def fail(_, file, **__):
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match="No space left"):
        save_picture(path, pair.images[1])
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_names_are_written_into_the_corners(pair):
    arguments = (*pair.images, *pair.keypoints, pair.matches)
    plain = draw_point_matches(*arguments)
    named = draw_point_matches(*arguments, names=["left.jpg", "ein sehr langer Näme " * 20])
    rows, columns = np.nonzero((plain != named).any(axis=2))
    assert rows.max() < 40
    assert columns.min() == 0
    assert columns.max() > 1500
    assert (named[rows, columns] > 200).any()
    with pytest.raises(ValueError, match="2 images need as many names"):
        draw_point_matches(*arguments, names=["only one"])


def test_corresponding_ends_carry_the_same_mark():
    black = np.zeros((60, 80), np.uint8)
    line = np.array([[[10.0, 30], [70, 30]]])
    kept = draw_line_matches(black, black, line, line, [0], width=1200)
    told = draw_line_matches(
        black, black, line, line[:, ::-1], [0], reversed_ends=[True], width=1200
    )
    untold = draw_line_matches(black, black, line, line[:, ::-1], [0], width=1200)
    assert np.array_equal(kept, told)
    assert not np.array_equal(kept, untold)
