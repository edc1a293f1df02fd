import numpy as np
import torch

from gluestick.reconstruction.localization.reference_views import carried_keypoints
from gluestick.types import ViewFrame, Wireframe
from gluestick.viewpoint.attempts import PairAttempt

FOUR_TIMES = ViewFrame(affine=((4.0, 0.0, -40.0), (0.0, 4.0, -80.0)), size=(320, 240))


def seen(view: ViewFrame | None) -> Wireframe:
    none = torch.zeros(1, 0)
    return Wireframe(
        image_size=torch.tensor([[320, 240]]),
        keypoints=torch.zeros(1, 0, 2),
        keypoint_scores=none,
        descriptors=torch.zeros(1, 0, 8),
        keypoint_mask=none.bool(),
        num_junctions=torch.zeros(1, dtype=torch.int64),
        lines=torch.zeros(1, 0, 2, 2),
        detected_lines=torch.zeros(1, 0, 2, 2),
        line_scores=none,
        line_mask=none.bool(),
        line_junctions=torch.zeros(1, 0, 2, dtype=torch.int64),
        edge_index=torch.zeros(2, 0, dtype=torch.int64),
        views=(view,),
    )


def carried(keypoints: list[list[float]], **options: object) -> tuple[np.ndarray, np.ndarray]:
    points1 = np.array([[20.0, 30.0], [50.0, 60.0], [52.0, 60.0]])
    attempt = PairAttempt(
        wireframe0=seen(None),
        wireframe1=seen(FOUR_TIMES),
        points0=FOUR_TIMES.from_original(points1),
        points1=points1,
        size0=(320, 240),
        size1=(320, 240),
        confidence=3.0,
        support=0.5,
        matches=None,
    )
    photograph = {
        "keypoints": np.array(keypoints, np.float32).reshape(-1, 2),
        "num_junctions": np.array(1),
        **options,
    }
    return carried_keypoints(attempt, np.array([True, True, False]), photograph)


def test_keypoints_are_carried_by_matches_next_to_them() -> None:
    keypoints = [[20, 30], [21, 29], [20, 34], [50, 60], [54, 60]]
    positions, indices = carried(keypoints)
    # the first is a junction, the third and the last are too far from matches that agree
    assert indices.tolist() == [1, 3]
    np.testing.assert_allclose(positions, [[44, 36], [160, 160]], atol=1e-4)


def test_the_distance_counts_what_the_detector_saw() -> None:
    assert carried([[0, 0], [20, 34]], resize_scale=np.array(0.5))[1].tolist() == [1]
    assert carried([[0, 0], [20, 32]], resize_scale=np.array(2.0))[1].tolist() == []


def test_a_photograph_without_keypoints() -> None:
    positions, indices = carried([[0, 0]])
    assert positions.shape == (0, 2)
    assert len(indices) == 0
