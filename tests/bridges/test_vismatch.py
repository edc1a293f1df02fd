from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gluestick.pipeline import PointLineMatcher


def test_the_result_is_vismatchs_and_lines(
    other_programs: Path, assets: Path, small_matcher: PointLineMatcher, tmp_path: Path
) -> None:
    bridge = import_module("gluestick.bridges.vismatch")
    matcher = bridge.GlueStickMatcher(
        max_num_keypoints=128, max_num_lines=40, ransac_reproj_thresh=5
    )
    assert matcher.ransac_reproj_thresh == 5
    images = []
    for letter in "ab":
        with Image.open(assets / f"leuven_{letter}.jpg") as image:
            images.append(image.resize((375, 281)))
    images[0].save(tmp_path / "a.png")
    result = matcher(tmp_path / "a.png", np.asarray(images[1], np.float32).transpose(2, 0, 1) / 255)
    wireframe0, wireframe1, matches = small_matcher(*images)
    points0, points1 = matches.matched_keypoints(wireframe0, wireframe1)
    assert len(points0) > 40
    np.testing.assert_allclose(result["matched_kpts0"], points0, atol=1e-4)
    np.testing.assert_allclose(result["matched_kpts1"], points1, atol=1e-4)
    np.testing.assert_allclose(result["all_desc1"], wireframe1.descriptors[0], atol=1e-5)
    assert ((result["matched_confidences"] > 0) & (result["matched_confidences"] <= 1)).all()
    lines0, lines1 = matches.matched_lines(wireframe0, wireframe1)
    assert len(lines0) > 5
    np.testing.assert_allclose(result["matched_lines0"], lines0, atol=1e-4)
    np.testing.assert_allclose(result["matched_lines1"], lines1, atol=1e-4)
    assert len(result["line_confidences"]) == len(lines0)
    assert len(result["all_lines1"]) == 40


def test_images_that_show_nothing_have_no_matches(other_programs: Path) -> None:
    bridge = import_module("gluestick.bridges.vismatch")
    matcher = bridge.GlueStickMatcher(max_num_keypoints=16)
    result = matcher(np.zeros((3, 40, 60), np.float32), np.ones((3, 50, 30), np.float32))
    assert result["matched_kpts0"].shape == (0, 2)
    assert result["matched_lines0"].shape == (0, 2, 2)


def test_without_vismatch_it_says_how_to_get_it(no_programs: None) -> None:
    with pytest.raises(ImportError, match=r"needs vismatch, .*pip install vismatch"):
        import_module("gluestick.bridges.vismatch")
