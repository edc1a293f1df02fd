from pathlib import Path
from typing import Any

import pytest

from gluestick.web.matching import MatchedPair, Outcome
from gluestick.web.words import frame_html, lines_html, pair_html, table_rows

EVIL = "<img src=x onerror=alert(1)>.jpg"


def record(**changes: Any) -> dict[str, Any]:
    count = {"found": [9, 8], "matched": 7, "inliers": 6}
    return {
        "trusted": True,
        "geometry": "homography",
        "verdict": "Trusted: homography.",
        "counts": {"keypoints": count, "lines": {**count, "inliers": None}},
        "view": None,
        "view0": None,
        "turn": 0.0,
        "zoom": 1.0,
        "tilt": 1.0,
        "seconds": {"matching": 1.25},
        **changes,
    }


def pair(found: dict[str, Any] | None, fault: str = "") -> MatchedPair:
    return MatchedPair(names=(EVIL, "b.jpg"), folder=Path("1-2"), record=found, fault=fault)


def test_rows_say_what_came_of_each_pair() -> None:
    pairs = [pair(record()), pair(record(trusted=False)), pair(None, fault="b.jpg is damaged")]
    outcome = Outcome(pairs=pairs, left_out=0, archive=Path("gluestick.zip"))
    assert [row[1:] for row in table_rows(outcome)] == [
        ["homography", "6 of 7", "7"],
        ["not trusted", "6 of 7", "7"],
        ["failed", "–", "–"],
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "Both images were seen as they are. 1.2 s."),
        ({"view": {}, "turn": 90.0}, "Against image 1, image 2 was seen turned by 90°. 1.2 s."),
        (
            {"view": {}, "turn": -30.0, "zoom": 2.5, "tilt": 3.0},
            "image 2 was seen turned by -30°, enlarged 2.50 times, stretched 3.00 times along",
        ),
        ({"view0": {}, "zoom": 0.25}, "image 2 was seen reduced 4.00 times. 1.2 s."),
        ({"view0": {}}, "image 2 was seen as it is. 1.2 s."),
    ],
)
def test_the_view_is_said_in_words(changes: dict[str, Any], words: str) -> None:
    assert words in pair_html(pair(record(**changes)))


def test_names_and_faults_are_text() -> None:
    for made in (
        pair_html(pair(None, fault=EVIL)),
        pair_html(pair(record(verdict=EVIL))),
        lines_html([EVIL], "refused"),
        frame_html('/viewer/"><script>', EVIL),
    ):
        assert "<img" not in made
        assert "<script" not in made
    assert lines_html([], "taken") == ""
