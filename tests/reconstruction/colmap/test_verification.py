from typing import Any

import numpy as np
import pytest
from sfm_scenes import POSES

from gluestick.export import FeaturesReader, MatchesReader
from gluestick.reconstruction.colmap.verification import add_two_view_geometries

pycolmap = pytest.importorskip("pycolmap")

Database = tuple[Any, dict[str, int]]
Readers = tuple[FeaturesReader, MatchesReader]
PAIR = ("0.png", "1.png")


@pytest.mark.parametrize("verification", ["colmap", "gluestick"])
def test_the_motion_between_two_photographs_is_found(
    database: Database, readers: Readers, verification: str
) -> None:
    opened, ids = database
    add_two_view_geometries(opened, *readers, ids, [PAIR], verification=verification)
    found = opened.read_two_view_geometry(*(ids[name] for name in PAIR))
    matches = opened.read_matches(*(ids[name] for name in PAIR))
    assert found.config == int(pycolmap.TwoViewGeometryConfiguration.CALIBRATED)
    assert len(found.inlier_matches) > 0.9 * len(matches)
    first, second = (POSES[name] for name in PAIR)
    if verification == "gluestick":
        true = second.R @ first.R.T
        assert np.abs(found.cam2_from_cam1.rotation.matrix() - true).max() < 0.01
    points = [
        opened.read_keypoints(ids[name]).astype(float)[found.inlier_matches[:, side]]
        for side, name in enumerate(PAIR)
    ]
    rays = [np.column_stack([each, np.ones(len(each))]) for each in points]
    lines = rays[0] @ found.F.T
    distances = np.abs((lines * rays[1]).sum(1)) / np.linalg.norm(lines[:, :2], axis=1)
    assert np.median(distances) < 0.2


def test_a_verified_pair_stays_as_it_is(database: Database, readers: Readers) -> None:
    opened, ids = database
    own = pycolmap.TwoViewGeometry()
    opened.write_two_view_geometry(*(ids[name] for name in PAIR), own)
    add_two_view_geometries(opened, *readers, ids, [PAIR])
    assert len(opened.read_two_view_geometry(*(ids[name] for name in PAIR)).inlier_matches) == 0


def test_a_pair_that_could_be_chance_has_no_inliers(database: Database, readers: Readers) -> None:
    opened, ids = database
    numbers = [ids[name] for name in PAIR]
    wrong = opened.read_matches(*numbers)[:25]
    wrong[:, 1] = np.random.default_rng(0).permutation(wrong[:, 1])
    opened.delete_matches(*numbers)
    opened.write_matches(*numbers, wrong)
    add_two_view_geometries(opened, *readers, ids, [PAIR], verification="gluestick")
    found = opened.read_two_view_geometry(*numbers)
    assert found.config == int(pycolmap.TwoViewGeometryConfiguration.DEGENERATE)
    assert len(found.inlier_matches) == 0
