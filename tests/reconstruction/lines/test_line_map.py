from dataclasses import replace

import numpy as np
import pytest
from line_scenes import arc_of_cameras, line_scene, nearest_segments, segments_in_space

from gluestick.reconstruction.lines import LineMapConfig, LineMatches, make_line_map

SEGMENTS = segments_in_space(40)


def test_exact_segments_are_found_where_they_are() -> None:
    scene = line_scene(SEGMENTS, arc_of_cameras(5))
    found = make_line_map(scene.views, scene.matches)
    nearest, distances = nearest_segments(found, SEGMENTS)
    assert len(found) >= 38
    assert len(np.unique(nearest)) == len(found)
    assert distances.max() < 1e-4
    assert found.errors.max() < 1e-4
    assert (found.num_views >= 3).all()
    assert np.median(found.num_views) == 5
    assert found.lengths == pytest.approx(
        np.linalg.norm(SEGMENTS[nearest, 1] - SEGMENTS[nearest, 0], axis=1), abs=1e-3
    )


def test_a_track_says_which_segments_are_the_line() -> None:
    scene = line_scene(SEGMENTS, arc_of_cameras(5), noise=0.3)
    found = make_line_map(scene.views, scene.matches)
    pairs = {(each.view0, each.view1): dict(each.pairs.tolist()) for each in scene.matches}
    for line in range(len(found)):
        own = found.observations[found.observations[:, 0] == line, 1:].tolist()
        assert own == sorted(own)
        for view, segment in own[1:]:
            assert pairs[own[0][0], view][own[0][1]] == segment


def test_wrong_matches_make_no_wrong_lines() -> None:
    scene = line_scene(SEGMENTS, arc_of_cameras(6), noise=0.3, wrong=0.3)
    found = make_line_map(scene.views, scene.matches)
    nearest, distances = nearest_segments(found, SEGMENTS)
    assert len(found) >= 34
    assert len(np.unique(nearest)) == len(found)
    assert np.median(distances) < 0.015
    assert distances.max() < 0.15
    assert found.errors.mean() < 0.4


def test_uncertainties_are_of_the_size_of_the_errors() -> None:
    scene = line_scene(segments_in_space(150, seed=4), arc_of_cameras(5), noise=1.0)
    found = make_line_map(scene.views, scene.matches)
    nearest, _ = nearest_segments(found, scene.segments)
    true = scene.segments[nearest]
    directions = true[:, 1] - true[:, 0]
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    offsets = found.segments - true[:, :1]
    across = offsets - (offsets @ directions[..., None]) * directions[:, None]
    errors = np.linalg.norm(across, axis=-1).max(axis=1)
    assert 0.4 < np.median(errors / found.uncertainties) < 1.6


def test_lines_in_the_epipolar_plane_are_left_out() -> None:
    centres = [np.array([x, 0.0, -5.0]) for x in (-1.5, -0.5, 0.5, 1.5)]
    along = np.array([[[-0.5, 0.2, 0], [0.5, 0.2, 0]]])
    across = np.array([[[0.1, -0.5, 0], [0.1, 0.5, 0.2]]])
    scene = line_scene(np.concatenate([along, across]), centres, noise=0.2)
    found = make_line_map(scene.views, scene.matches)
    assert nearest_segments(found, scene.segments)[0].tolist() == [1]


def test_two_photographs_are_enough_if_asked_for() -> None:
    scene = line_scene(SEGMENTS, arc_of_cameras(2))
    assert len(make_line_map(scene.views, scene.matches)) == 0
    found = make_line_map(scene.views, scene.matches, config=LineMapConfig(min_views=2))
    assert len(found) > 30
    assert nearest_segments(found, SEGMENTS)[1].max() < 1e-3


def test_fragments_of_a_line_are_in_one_track() -> None:
    scene = line_scene(SEGMENTS[:10], arc_of_cameras(4))
    view = scene.views[0]
    middle = view.lines.mean(axis=1)
    gap = 0.05 * (view.lines[:, 1] - view.lines[:, 0])
    halves = [
        np.stack([view.lines[:, 0], middle - gap], axis=1),
        np.stack([middle + gap, view.lines[:, 1]], axis=1),
    ]
    views = [replace(view, lines=np.concatenate(halves)), *scene.views[1:]]
    matches = []
    for each in scene.matches:
        pairs, scores = each.pairs, each.scores
        if each.view0 == 0:
            others = pairs + np.array([10, 0])
            pairs, scores = np.concatenate([pairs, others]), np.tile(scores, 2)
        matches.append(replace(each, pairs=pairs, scores=scores))
    found = make_line_map(views, matches)
    nearest, distances = nearest_segments(found, SEGMENTS[:10])
    assert len(found) == len(np.unique(nearest)) >= 9
    assert distances.max() < 1e-3
    fragments = found.observations[found.observations[:, 1] == 0]
    assert (np.bincount(fragments[:, 0]) == 2).all()
    assert (found.num_views == 4).all()


def test_parallel_lines_matched_with_each_other_stay_two() -> None:
    step = np.array([0.0, 0.15, 0.0])
    lines = np.array([[[-0.5, 0, 0.1], [0.4, 0.3, -0.2]]])
    scene = line_scene(np.concatenate([lines, lines + step]), arc_of_cameras(4))
    every = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    matches = [replace(each, pairs=every, scores=np.full(4, 0.9)) for each in scene.matches]
    found = make_line_map(scene.views, matches)
    assert sorted(nearest_segments(found, scene.segments)[0].tolist()) == [0, 1]
    assert nearest_segments(found, scene.segments)[1].max() < 1e-3


def test_thresholds_count_pixels_of_detection() -> None:
    scene = line_scene(SEGMENTS, arc_of_cameras(5), noise=0.3)
    found = make_line_map(scene.views, scene.matches)
    enlarge = np.diag([4.0, 4.0, 1.0])
    views = [
        replace(each, K=enlarge @ each.K, lines=4 * each.lines, pixel=4.0) for each in scene.views
    ]
    large = make_line_map(views, scene.matches)
    assert large.observations.tolist() == found.observations.tolist()
    assert large.segments == pytest.approx(found.segments, abs=1e-6)
    assert large.errors == pytest.approx(4 * found.errors, rel=1e-4)
    assert large.uncertainties == pytest.approx(found.uncertainties, rel=1e-4)


def test_nothing_in_nothing_out() -> None:
    scene = line_scene(SEGMENTS[:4], arc_of_cameras(3))
    assert len(make_line_map([], [])) == 0
    assert len(make_line_map(scene.views, [])) == 0
    views = [replace(each, lines=np.zeros((0, 2, 2))) for each in scene.views]
    none = LineMatches(view0=0, view1=1, pairs=np.zeros((0, 2), np.int64), scores=np.zeros(0))
    found = make_line_map(views, [none])
    assert found.segments.shape == (0, 2, 3)
    assert found.observations.shape == (0, 3)
    points = [replace(each, lines=each.lines[:, [0, 0]]) for each in scene.views]
    assert len(make_line_map(points, scene.matches)) == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"view1": 3}, "two of 3 views"),
        ({"view1": 0}, "two of 3 views"),
        ({"pairs": np.array([[0, 4]]), "scores": np.ones(1)}, r"segments below \[4, 4\]"),
    ],
)
def test_matches_of_what_is_not_there_are_refused(change: dict, words: str) -> None:
    scene = line_scene(SEGMENTS[:4], arc_of_cameras(3))
    with pytest.raises(ValueError, match=words):
        make_line_map(scene.views, [replace(scene.matches[0], **change)])


def test_a_line_needs_two_views() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        LineMapConfig(min_views=1)
