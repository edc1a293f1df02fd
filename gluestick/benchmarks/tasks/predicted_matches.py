"""The reported matches of a stored prediction, and its pixels."""

import numpy as np

from gluestick.benchmarks.tasks.protocol import Prediction
from gluestick.datasets.posed.stored_images import to_stored_pixels
from gluestick.wireframe.thresholds import mean_enlargement


def matched_points(prediction: Prediction) -> tuple[np.ndarray, np.ndarray]:
    """Return the reported point matches, two arrays [S, 2] px whose rows correspond."""
    matched = prediction["matches0"] > -1
    partners = prediction["matches0"][matched]
    return prediction["keypoints0"][matched], prediction["keypoints1"][partners]


def matched_lines(prediction: Prediction) -> tuple[np.ndarray, np.ndarray]:
    """Return the reported line matches, two arrays [T, 2, 2] px whose rows correspond."""
    matched = prediction["line_matches0"] > -1
    partners = prediction["line_matches0"][matched]
    return prediction["lines0"][matched], prediction["lines1"][partners]


def original_threshold(prediction: Prediction, max_error: float, *, sides: str = "01") -> float:
    """Return a threshold in px of the images as they are, from one in px of the resized ones.

    Args:
        prediction: The pair as stored.
        max_error: The threshold in px of the images as detectors saw them.
        sides: Which of the images 0 and 1 errors are measured in.
    """
    scales = [float(prediction.get(f"resize_scale{side}", 1.0)) for side in sides]
    return max_error * mean_enlargement(*scales)


def in_stored_pixels(prediction: Prediction, *, turns: tuple[int, int]) -> Prediction:
    """Return a prediction with all positions in the pixels for which cameras are calibrated.

    Args:
        prediction: The pair as stored, in px of the images as they were matched.
        turns: How far image 0 and image 1 were turned for that, degrees clockwise.

    Returns:
        The same with other ``keypoints0``, ``lines0``, ``image_size0`` and those of image 1.
    """
    stored = dict(prediction)
    for side, turn in enumerate(turns):
        width, height = prediction[f"image_size{side}"].tolist()
        for name in (f"keypoints{side}", f"lines{side}"):
            stored[name], size = to_stored_pixels(
                prediction[name], image_size=(width, height), turn=turn
            )
        stored[f"image_size{side}"] = np.array(size)
    return stored
