"""Lines of a real building with surveyed cameras."""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gluestick.export import FeaturesReader, MatchesReader
from gluestick.export.hloc_folder import export_hloc_folder
from gluestick.geometry.projection import project_points
from gluestick.pipeline import PointLineMatcher
from gluestick.reconstruction.lines import LineView, make_line_map
from gluestick.reconstruction.lines.stored import line_matches
from gluestick.types import Camera, Pose

STRECHA = Path(__file__).parents[3].parent / "shared" / "data" / "pose" / "strecha_Herz-Jesus-P8"
NAMES = ("0002.jpg", "0003.jpg", "0004.jpg", "0005.jpg")
REDUCED = np.array([[0.5, 0, -0.25], [0, 0.5, -0.25], [0, 0, 1]])


@pytest.mark.skipif(not STRECHA.is_dir(), reason=f"{STRECHA} is not there")
def test_lines_are_where_a_photograph_that_took_no_part_sees_them(tmp_path: Path) -> None:
    (tmp_path / "photographs").mkdir()
    for name in NAMES:
        with Image.open(STRECHA / "images" / name) as image:
            image.reduce(2).save(tmp_path / "photographs" / name, quality=97)
    matcher = PointLineMatcher.from_pretrained(max_num_keypoints=256, max_num_lines=150)
    pairs = list(combinations(NAMES, 2))
    files = export_hloc_folder(matcher, tmp_path / "photographs", pairs, tmp_path, model="small")
    surveyed = json.loads((STRECHA / "cameras.json").read_text())
    with FeaturesReader(files.features) as features, MatchesReader(files.matches) as stored:
        views = []
        for name in NAMES:
            U, _, V = np.linalg.svd(np.array(surveyed[name]["R_cam_from_world"]))
            pose = Pose(R=U @ V, t=np.array(surveyed[name]["t_cam_from_world"]))
            K = REDUCED @ np.array(surveyed[name]["K"])
            lines = features.read(name)["lines"].astype(np.float64)
            views.append(LineView(name=name, K=K, pose=pose, lines=lines))
        matches = line_matches(views, stored, pairs)
    found = make_line_map(views, [each for each in matches if each.view1 != 3])
    assert len(found) > 15
    assert found.errors.mean() < 0.4
    partners = {
        (each.view0, first): second
        for each in matches
        if each.view1 == 3
        for first, second in each.pairs[np.argsort(each.scores)].tolist()
    }
    distances = []
    for line, view, segment in found.observations.tolist():
        if (view, segment) in partners:
            seen = views[3].lines[partners[view, segment]]
            camera = Camera(K=views[3].K)
            (x0, y0), (x1, y1) = project_points(found.segments[line], views[3].pose, camera)[0]
            across = np.array([y0 - y1, x1 - x0]) / np.hypot(x1 - x0, y1 - y0)
            distances.append(np.abs((seen - [x0, y0]) @ across).mean())
    assert len(distances) > 30
    assert np.median(distances) < 0.6
