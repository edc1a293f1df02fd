from types import SimpleNamespace

import numpy as np
import pytest


@pytest.fixture
def pair():
    """Two images with 40 keypoints and 12 lines each, of which 20 and 6 are matched."""
    rng = np.random.default_rng(0)
    matches = np.full(40, -1)
    matches[::2] = rng.permutation(40)[:20]
    line_matches = np.full(12, -1)
    line_matches[::2] = rng.permutation(12)[:6]
    return SimpleNamespace(
        images=[rng.integers(0, 256, (60, 80, 3), dtype=np.uint8) for _ in range(2)],
        keypoints=[rng.uniform(0, [79, 59], (40, 2)) for _ in range(2)],
        lines=[rng.uniform(0, [79, 59], (12, 2, 2)) for _ in range(2)],
        matches=matches,
        scores=np.where(matches > -1, 0.875, 0.25),
        line_matches=line_matches,
        line_scores=np.where(line_matches > -1, 0.5, 0.125),
    )
