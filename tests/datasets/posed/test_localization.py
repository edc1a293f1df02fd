import builtins
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from colmap_scenes import LINES, POINTS, POSES, pixels, write_model
from posed_scenes import CAMERA, POSE, SIZE, pair_line, save_image

from gluestick.datasets.posed.localization import list_references, read_scene


def write_depth_scene(folder: Path) -> Path:
    camera = {
        "K": CAMERA.K.tolist(),
        "R_cam_from_world": POSE.R.tolist(),
        "t_cam_from_world": POSE.t.tolist(),
    }
    (folder / "depths").mkdir()
    for name in ("a", "b", "c"):
        save_image(folder / "images" / f"{name}.jpg")
        cv2.imwrite(str(folder / "depths" / f"{name}.png"), np.full(SIZE[::-1], 2000, np.uint16))
    cameras = {f"{name}.jpg": camera for name in ("a", "b", "c")}
    (folder / "cameras.json").write_text(json.dumps(cameras))
    return folder


def test_a_scene_with_depth(tmp_path: Path) -> None:
    folder = write_depth_scene(tmp_path)
    scene = read_scene(folder)
    image = scene.images["b.jpg"]
    np.testing.assert_allclose(image.cam_from_world.R, POSE.R, atol=1e-12)
    assert image.read_depth is not None
    np.testing.assert_allclose(image.read_depth(), 2.0)
    assert image.observe is None
    assert not image.camera.is_distorted
    cameras = json.loads((folder / "cameras.json").read_text())
    cameras["b.jpg"]["distortion"] = [-0.1, 0.02]
    (folder / "cameras.json").write_text(json.dumps(cameras))
    distorted = read_scene(folder).images["b.jpg"].camera
    assert distorted.distortion == (-0.1, 0.02, 0, 0, 0)
    lines = [pair_line("a.jpg", "b.jpg"), pair_line("c.jpg", "b.jpg"), pair_line("a.jpg", "c.jpg")]
    (folder / "pairs_with_gt.txt").write_text("\n".join(lines))
    found = list_references(folder, scene, max_references=5)
    assert found == {"b.jpg": ["a.jpg", "c.jpg"], "c.jpg": ["a.jpg"]}
    (folder / "pairs.txt").write_text("# query reference\na.jpg c.jpg\na.jpg b.jpg\n")
    assert list_references(folder, scene, max_references=1) == {"a.jpg": ["c.jpg"]}


def test_a_colmap_model(tmp_path: Path) -> None:
    pytest.importorskip("pycolmap", reason="reads a COLMAP model (extra sfm)")
    folder = write_model(tmp_path)
    scene = read_scene(folder)
    assert set(scene.images) == set(POSES)
    image = scene.images["near.png"]
    np.testing.assert_allclose(image.camera.K, CAMERA.K, atol=1e-9)
    np.testing.assert_allclose(
        scene.images["query.png"].cam_from_world.R, POSES["query.png"].R, atol=1e-9
    )
    assert image.observe is not None
    seen = image.observe()
    order = np.argsort(seen.points3d[:, 0])
    expected = np.argsort(POINTS[:, 0])
    np.testing.assert_allclose(seen.points3d[order], POINTS[expected], atol=1e-9)
    np.testing.assert_allclose(
        seen.keypoints[order], pixels("near.png", POINTS)[expected], atol=1e-6
    )
    np.testing.assert_allclose(seen.lines3d, LINES)
    np.testing.assert_allclose(image.undistort(seen.segments), seen.segments, atol=1e-6)
    far = scene.images["far.png"].observe
    assert far is not None
    assert far().lines3d.shape == (0, 2, 3)


def test_most_covisible_references(tmp_path: Path) -> None:
    pytest.importorskip("pycolmap", reason="reads a COLMAP model (extra sfm)")
    folder = write_model(tmp_path)
    (folder / "queries.txt").write_text("query.png\n")
    scene = read_scene(folder)
    assert list_references(folder, scene, max_references=5) == {
        "query.png": ["near.png", "far.png"]
    }
    assert list_references(folder, scene, max_references=1) == {"query.png": ["near.png"]}
    (folder / "queries.txt").write_text("other.png\n")
    with pytest.raises(ValueError, match=r"'other\.png' is none"):
        list_references(folder, scene, max_references=1)


def test_without_pycolmap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_model(tmp_path)
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "pycolmap":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"gluestick-matching\[sfm\]"):
        read_scene(folder)


def test_damaged_lines(tmp_path: Path) -> None:
    pytest.importorskip("pycolmap", reason="reads a COLMAP model (extra sfm)")
    folder = write_model(tmp_path)
    with np.load(folder / "lines3d.npz") as stored:
        arrays = dict(stored)
    np.savez(folder / "lines3d.npz", **arrays | {"line_indices": arrays["line_indices"] + 1})
    with pytest.raises(ValueError, match=r"line_indices \[K\] below M"):
        read_scene(folder)
    np.savez(folder / "lines3d.npz", lines3d=arrays["lines3d"])
    with pytest.raises(ValueError, match="needs the arrays"):
        read_scene(folder)


def test_bad_folders(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="found neither"):
        read_scene(tmp_path)
    folder = write_depth_scene(tmp_path)
    scene = read_scene(folder)
    with pytest.raises(ValueError, match=r"needs pairs\.txt"):
        list_references(folder, scene, max_references=1)
    (folder / "pairs.txt").write_text("a.jpg\n")
    with pytest.raises(ValueError, match="lines of two names"):
        list_references(folder, scene, max_references=1)
    (folder / "pairs.txt").write_text("a.jpg d.jpg\n")
    with pytest.raises(ValueError, match=r"no camera for 'd\.jpg'"):
        list_references(folder, scene, max_references=1)
    (folder / "cameras.json").write_text('{"a.jpg": {"K": []}}')
    with pytest.raises(ValueError, match="R_cam_from_world"):
        read_scene(folder)
    (folder / "cameras.json").write_text("{")
    with pytest.raises(ValueError, match=r"cameras\.json cannot be read as JSON"):
        read_scene(folder)
