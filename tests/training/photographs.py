"""Small photographs for the tests of this folder."""

from pathlib import Path

import cv2
import numpy as np
from rendered_scenes import patchwork


def write_photographs(folder: Path, *, number: int = 40) -> Path:
    """Write photographs, of which a few are held out, and return their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(number):
        image = patchwork(96, 128, seed=index).permute(1, 2, 0).numpy()
        cv2.imwrite(str(folder / f"{index}.png"), (image * 255).astype(np.uint8))
    return folder
