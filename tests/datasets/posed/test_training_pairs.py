import logging
from dataclasses import replace
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
import torch
from colmap_scenes import POSES, write_model
from posed_scenes import CAMERA, SIZE, pair_line, save_image
from training.photographs import write_photographs

from gluestick.datasets.holdout import is_held_out
from gluestick.datasets.photograph_pool import PhotographPool
from gluestick.datasets.posed.depth_arrays import read_depth_array
from gluestick.datasets.posed.depth_views import list_depth_pairs
from gluestick.datasets.posed.formats.megadepth import MegaDepthScene
from gluestick.datasets.posed.posed_pairs import PosedPair, write_posed_pairs
from gluestick.datasets.posed.posed_scenes import list_posed_scenes, read_overlaps
from gluestick.datasets.posed.training_pairs import (
    PosedPairs,
    PosedPairsConfig,
    load_posed_images,
)
from gluestick.datasets.worlds import PlanarWorlds, PlanarWorldsConfig
from gluestick.datasets.worlds.scene_folder import write_worlds
from gluestick.types import Pose

EVERY = PosedPairsConfig(min_overlap=0, max_overlap=1)
NUMBERS = range(6)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("worlds")
    pool = PhotographPool.in_folder(write_photographs(folder / "photographs", number=4))
    config = PlanarWorldsConfig(width=96, height=72, supersampling=1)
    write_worlds(folder / "scene", PlanarWorlds(pool, config), NUMBERS)
    return folder / "scene"


def write_megadepth(folder: Path, worlds: Path) -> Path:
    """Write worlds in MegaDepth's layout, and return the file of the scene."""
    pairs = list_depth_pairs(worlds)
    (folder / "scene_info").mkdir(parents=True)
    (folder / "depth").mkdir()
    number = 2 * len(pairs) + 1
    arrays = {
        "image_paths": np.zeros(number, "<U200"),
        "depth_paths": np.zeros(number, "<U200"),
        "intrinsics": np.tile(np.eye(3), (number, 1, 1)),
        "poses": np.tile(np.eye(4), (number, 1, 1)),
        "overlap_matrix": np.full((number, number), -1.0),
    }
    for index, pair in enumerate(pairs):
        for side, view in enumerate((pair.view0, pair.view1)):
            place = 2 * index + side
            name = f"depth/{place}.h5"
            with h5py.File(folder / name, "w") as file:
                file["depth"] = view.read_depth()
            arrays["image_paths"][place], arrays["depth_paths"][place] = str(view.image), name
            K = view.camera.K.copy()
            K[:2, 2] += 0.5
            arrays["intrinsics"][place] = K
        arrays["poses"][2 * index + 1, :3] = np.column_stack([pair.pose_0to1.R, pair.pose_0to1.t])
        arrays["overlap_matrix"][2 * index, 2 * index + 1] = 0.1 + index / 10
        arrays["overlap_matrix"][2 * index, -1] = 0.3  # an image that is not there
    path = folder / "scene_info" / "0000.npz"
    np.savez(path, **arrays)
    return path


def test_pairs_depend_on_seed_and_index_alone(worlds: Path) -> None:
    first, again = PosedPairs(worlds, EVERY), PosedPairs(worlds, EVERY)
    pairs = [first.make(index) for index in range(8)]
    again.make(100)
    for index in (5, 2):
        for name, value in vars(again.make(index)).items():
            assert torch.equal(value, vars(pairs[index])[name])
    assert len({float(pair.image0.sum()) for pair in pairs}) > 2
    other = PosedPairs(worlds, replace(EVERY, seed=1))
    assert any(not torch.equal(other.make(i).K0, pairs[i].K0) for i in range(8))


def test_reduced_pairs_agree_with_what_they_were_made_of(worlds: Path) -> None:
    pair = list_depth_pairs(worlds)[0]
    whole = load_posed_images(pair, long_side=200)
    half = load_posed_images(pair, long_side=48)
    assert whole.image0.shape == (3, 72, 96)
    assert half.image0.shape == (3, 36, 48)
    assert half.depth0.shape == (36, 48)
    corner = torch.tensor([-0.5, -0.5, 1.0])
    for large, small in ((whole.K0, half.K0), (whole.K1, half.K1)):
        torch.testing.assert_close(
            torch.linalg.inv(large) @ corner, torch.linalg.inv(small) @ corner
        )
    smooth = cv2.resize(whole.depth0.numpy(), (48, 36), interpolation=cv2.INTER_AREA)
    known = half.depth0.numpy() > 0
    error = abs(smooth[known] / half.depth0.numpy()[known] - 1)
    assert np.median(error) < 1e-4
    assert (error < 0.03).mean() > 0.9


def test_megadepth(tmp_path: Path, worlds: Path) -> None:
    write_megadepth(tmp_path, worlds)
    (scene,) = list_posed_scenes(tmp_path, overlap=(0.25, 0.45))
    assert scene.pairs.tolist() == [[4, 5], [6, 7]]
    expected = load_posed_images(list_depth_pairs(worlds)[2], long_side=96)
    found = load_posed_images(scene.load(0), long_side=96)
    for name, value in vars(expected).items():
        torch.testing.assert_close(getattr(found, name), value, atol=1e-5, rtol=1e-5)


def test_pickled_scenes_are_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "scene_info").mkdir()
    path = tmp_path / "scene_info" / "0.npz"
    paths = np.array(["a.jpg", None], dtype=object)
    np.savez(path, image_paths=paths)
    with pytest.raises(ValueError, match="Python objects, which could run code"):
        PosedPairs(tmp_path)
    path.write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"0\.npz"):
        MegaDepthScene.read(path, folder=tmp_path)
    np.savez(path, image_paths=np.array(["a"]))
    with pytest.raises(ValueError, match="needs the arrays"):
        MegaDepthScene.read(path, folder=tmp_path)


def write_depths(folder: Path, *, colmap: bool) -> None:
    depth = np.full(SIZE[::-1], 4.0, dtype="<f4")
    depth[0, 0], depth[0, 1] = np.nan, -1
    for name in POSES:
        if colmap:
            path = folder / "stereo" / "depth_maps" / f"{name}.geometric.bin"
            content = f"{SIZE[0]}&{SIZE[1]}&1&".encode() + depth.tobytes()
        else:
            path = (folder / "depths" / name).with_suffix(".npy")
        path.parent.mkdir(parents=True, exist_ok=True)
        if colmap:
            path.write_bytes(content)
        else:
            np.save(path, depth)


@pytest.mark.parametrize("colmap", [True, False])
def test_colmap_models_with_depth(tmp_path: Path, colmap: bool) -> None:
    pytest.importorskip("pycolmap")
    write_model(tmp_path)
    write_depths(tmp_path, colmap=colmap)
    (scene,) = list_posed_scenes(tmp_path, overlap=(0.8, 1))  # far.png sees three of four points
    names = [scene.image_names[place] for place in scene.pairs[0]]
    assert len(scene.pairs) == 1
    assert names == ["near.png", "query.png"]
    pair = scene.load(0)
    expected = POSES["query.png"]
    np.testing.assert_allclose(pair.pose_0to1.R, expected.R, atol=1e-6)
    np.testing.assert_allclose(pair.pose_0to1.t, expected.t, atol=1e-6)
    loaded = load_posed_images(pair, long_side=1000)
    assert loaded.depth0[0, :3].tolist() == [0, 0, 4]
    np.testing.assert_allclose(loaded.K0, CAMERA.K, rtol=1e-6)


def test_a_list_of_overlaps_chooses_pairs(tmp_path: Path) -> None:
    pytest.importorskip("pycolmap")
    write_model(tmp_path)
    write_depths(tmp_path, colmap=True)
    (tmp_path / "overlaps.txt").write_text("query.png far.png 0.5\nnear.png query.png 0.9\n")
    (scene,) = list_posed_scenes(tmp_path, overlap=(0.1, 0.7))
    assert scene.load(0).name == "query.png|far.png"
    (tmp_path / "overlaps.txt").write_text("query.png other.png 0.5\n")
    with pytest.raises(ValueError, match=r"other\.png"):
        list_posed_scenes(tmp_path, overlap=(0.1, 0.7))
    (tmp_path / "overlaps.txt").write_text("query.png 0.5\n")
    with pytest.raises(ValueError, match="line 1"):
        read_overlaps(tmp_path / "overlaps.txt")


def test_overlaps_beside_a_list_with_poses(worlds: Path, tmp_path: Path) -> None:
    for name in ("images", "depths", "pairs_with_gt.txt"):
        (tmp_path / name).symlink_to(worlds / name)
    assert len(PosedPairs(tmp_path, PosedPairsConfig())) == len(NUMBERS)
    (tmp_path / "overlaps.txt").write_text("000001_0.png 000001_1.png 0.5\n")
    assert len(PosedPairs(tmp_path, PosedPairsConfig())) == 1


def test_pairs_that_cannot_be_read_are_named_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a.png", "b.png", "c.png"):
        save_image(tmp_path / "images" / name)
        (tmp_path / "depths").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / "depths" / name), np.full(SIZE[::-1], 4000, np.uint16))
    lines = [pair_line("a.png", "b.png"), pair_line("b.png", "c.png")]
    (tmp_path / "pairs_with_gt.txt").write_text("\n".join(lines))
    (tmp_path / "images" / "c.png").write_bytes(b"no image")
    pairs = PosedPairs(tmp_path, EVERY)
    with caplog.at_level(logging.WARNING):
        for index in range(12):
            assert pairs.make(index).image0.shape == (3, *SIZE[::-1])
    assert caplog.text.count("skipped the pair b.png and c.png") == 1
    cv2.imwrite(str(tmp_path / "depths" / "b.png"), np.full((3, 4), 4000, np.uint16))
    with pytest.raises(ValueError, match="in a row cannot be read"):
        PosedPairs(tmp_path, EVERY).make(0)


def test_held_out_images_are_apart(tmp_path: Path) -> None:
    held = next(name for name in (f"{i}.png" for i in range(1000)) if is_held_out(name))
    others = [f"{letter}.png" for letter in "abc"]
    for name in (held, *others):
        save_image(tmp_path / "images" / name)
        (tmp_path / "depths").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / "depths" / name), np.full(SIZE[::-1], 4000, np.uint16))
    still = Pose(R=np.eye(3), t=np.zeros(3))
    write_posed_pairs(
        tmp_path / "pairs_with_gt.txt",
        [
            PosedPair(name0=a, name1=b, camera0=CAMERA, camera1=CAMERA, pose_0to1=still)
            for a, b in ((held, "a.png"), ("a.png", "b.png"), ("b.png", "c.png"))
        ],
    )
    assert len(PosedPairs(tmp_path, EVERY)) == 2
    assert len(PosedPairs(tmp_path, EVERY, held_out=True)) == 1
    (tmp_path / "images" / held).rename(tmp_path / "images" / "d.png")
    with pytest.raises(ValueError, match="there is no image"):
        PosedPairs(tmp_path, EVERY)


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs posed images with depth"):
        PosedPairs(tmp_path)
    with pytest.raises(ValueError, match="min_overlap"):
        PosedPairsConfig(min_overlap=0.8, max_overlap=0.2)
    with pytest.raises(ValueError, match="there is no depth map"):
        read_depth_array(tmp_path / "none.npy")
    for name, content in (("a.bin", b"4&3&"), ("b.bin", b"1&1&3&" + bytes(12)), ("c.h5", b"x")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=name):
            read_depth_array(tmp_path / name)
    np.save(tmp_path / "d.npy", np.zeros((2, 2), np.uint8))
    with pytest.raises(ValueError, match="uint8"):
        read_depth_array(tmp_path / "d.npy")
