import cv2
import numpy as np
import pytest
import torch

from gluestick.datasets.photograph_pool import PhotographPool
from gluestick.datasets.worlds import PlanarWorlds, PlanarWorldsConfig
from gluestick.datasets.worlds.cameras import draw_views, shared_view
from gluestick.datasets.worlds.render import find_visible_faces, render
from gluestick.geometry.projection import project_points
from gluestick.types import Camera, Pose

SIZE = (128, 96)
CONFIG = PlanarWorldsConfig(width=SIZE[0], height=SIZE[1])


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> PhotographPool:
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    for index in range(3):
        small = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
        cv2.imwrite(
            str(folder / f"{index}.png"),
            cv2.resize(small, (120, 90), interpolation=cv2.INTER_CUBIC),
        )
    return PhotographPool(folder, [f"{index}.png" for index in range(3)])


def rays(K: torch.Tensor) -> torch.Tensor:
    """Return a ray [H, W, 3] of depth 1 through each pixel."""
    x, y = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="xy")
    pixels = torch.stack([x, y, torch.ones_like(x)], -1).double()
    return pixels @ torch.linalg.inv(K.double()).T


@pytest.mark.parametrize("index", range(4))
def test_depth_and_poses_are_consistent(photographs: PhotographPool, index: int) -> None:
    worlds = PlanarWorlds(photographs, CONFIG)
    pair = worlds.make(index)
    room, rng = worlds.room(index)
    view0, view1 = draw_views(rng, room, image_size=SIZE, baseline=(0.15, 1.3), overlap=(0.2, 0.95))
    seen = find_visible_faces(room, view0)
    known = pair.depth0 > 0
    assert known.float().mean() > 0.8
    # Where each pixel lies in the room, by its face, and by its depth.
    pixels = rays(torch.eye(3))
    plane = seen.planes[seen.face].double()
    on_face = (plane @ pixels[..., None])[..., 0]
    u, v = (on_face[..., axis] / on_face[..., 2] for axis in (0, 1))
    assert ((u > -1e-3) & (u < 1 + 1e-3) & (v > -1e-3) & (v < 1 + 1e-3))[known].all()
    face = seen.face.numpy()
    points = room.corner[face] + u.numpy()[..., None] * room.edge_u[face]
    points = points + v.numpy()[..., None] * room.edge_v[face]  # [H, W, 3]
    camera = Camera(K=view0.K)
    back, _ = project_points(points.reshape(-1, 3), Pose(R=view0.R, t=view0.t), camera)
    assert abs(back.reshape(*face.shape, 2) - pixels[..., :2].numpy())[known.numpy()].max() < 0.1
    direct, depth1 = project_points(points.reshape(-1, 3), Pose(R=view1.R, t=view1.t), camera)
    carried = rays(pair.K0) * pair.depth0[..., None].double()
    pose = Pose(R=pair.R_0to1.double().numpy(), t=pair.t_0to1.double().numpy())
    by_depth, _ = project_points(
        carried.reshape(-1, 3).numpy(), pose, Camera(K=pair.K1.double().numpy())
    )
    in_front = (depth1 > 0.1) & known.numpy().reshape(-1)
    assert abs(direct - by_depth)[in_front].max() < 0.1


@pytest.mark.parametrize("index", range(4))
def test_what_is_hidden_is_behind_another_face(photographs: PhotographPool, index: int) -> None:
    worlds = PlanarWorlds(photographs, CONFIG)
    pair = worlds.make(index)
    room, rng = worlds.room(index)
    views = draw_views(rng, room, image_size=SIZE, baseline=(0.15, 1.3), overlap=(0.2, 0.95))
    face0, face1 = (find_visible_faces(room, view).face for view in views)
    points = rays(pair.K0) * pair.depth0[..., None].double()
    moved = points @ pair.R_0to1.double().T + pair.t_0to1.double()
    projected = moved @ pair.K1.double().T
    column, row = (projected[..., :2] / projected[..., 2:].clamp(min=1e-6)).round().unbind(-1)
    inside = (moved[..., 2] > 0.1) & (column >= 0) & (column < SIZE[0])
    inside &= (row >= 0) & (row < SIZE[1]) & (pair.depth0 > 0)
    column, row = column[inside].long(), row[inside].long()
    there = pair.depth1[row, column]
    known, z = there > 0, moved[..., 2][inside]
    same = face0[inside] == face1[row, column]
    hidden, seen = known & (z > 1.1 * there), known & ((z - there).abs() < 0.001 * there)
    assert not same[hidden].any()
    assert same[seen].float().mean() > 0.9
    # Nothing that is seen lies in front of what the other camera sees, but for edges.
    assert (z[known] < 0.9 * there[known]).float().mean() < 0.05


def test_a_seed_and_an_index_decide_everything(photographs: PhotographPool) -> None:
    first, again = (PlanarWorlds(photographs, CONFIG).make(5) for _ in range(2))
    for name, value in vars(first).items():
        assert torch.equal(value, getattr(again, name)), name
    assert not torch.equal(first.depth0, PlanarWorlds(photographs, CONFIG).make(6).depth0)


def test_pairs_overlap(photographs: PhotographPool) -> None:
    worlds = PlanarWorlds(photographs, CONFIG)
    for index in range(6):
        room, rng = worlds.room(index)
        views = draw_views(rng, room, image_size=SIZE, baseline=(0.15, 1.3), overlap=(0.3, 0.8))
        assert 0.2 <= shared_view(room, *views) <= 0.9
        assert shared_view(room, views[0], views[0]) > 0.95


def test_outlines_of_curved_surfaces_have_no_depth(photographs: PhotographPool) -> None:
    worlds = PlanarWorlds(photographs, CONFIG)
    found = 0
    for index in range(12):
        room, rng = worlds.room(index)
        views = draw_views(rng, room, image_size=SIZE, baseline=(0.15, 1.3), overlap=(0.2, 0.95))
        rendering = render(room, views[0], supersampling=1)
        curved = room.curved[rendering.face]
        border = curved[:, 1:] != curved[:, :-1]
        found += int(border.sum())
        assert (rendering.depth[:, 1:][border] == 0).all()
        assert (rendering.depth[:, :-1][border] == 0).all()
        if not curved.any():
            assert (rendering.depth > 0).all()
    assert found > 0


def test_errors() -> None:
    with pytest.raises(ValueError, match="min_overlap"):
        PlanarWorldsConfig(min_overlap=0.5, max_overlap=0.4)
    with pytest.raises(ValueError, match="width"):
        PlanarWorldsConfig(width=0)
