import numpy as np
import pytest

from gluestick.pair_geometry import PairGeometry
from gluestick.pair_run.summary import verdict_sentence, versions


@pytest.mark.parametrize(
    ("estimate", "asked", "words"),
    [
        (PairGeometry(), "none", "No geometry was asked for."),
        (PairGeometry(), "auto", "No geometry found"),
        (PairGeometry(), "homography", "No homography found"),
        (
            PairGeometry(geometry="homography", log10_false_alarms=-3.2),
            "auto",
            "Nothing trustworthy was found: the homography can be chance (10^-3",
        ),
        (
            PairGeometry(geometry="fundamental", log10_false_alarms=-99.0, trusted=True),
            "auto",
            "Trusted: epipolar geometry (10^-99",
        ),
        (PairGeometry(geometry="homography"), "auto", "can be chance (10^inf"),
    ],
)
def test_the_verdict_comes_in_plain_words(estimate: PairGeometry, asked: str, words: str) -> None:
    assert verdict_sentence(estimate, asked).startswith(words) or words in verdict_sentence(
        estimate, asked
    )


def test_versions_are_those_in_use() -> None:
    found = versions()
    assert found["numpy"] == np.__version__
    assert {"gluestick", "python", "torch"} <= {*found}
