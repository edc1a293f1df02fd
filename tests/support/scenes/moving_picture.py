"""A picture that moves as is known, for the tests of tracking."""

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from gluestick import load_image

SIZE = (320, 240)


def moving_picture(assets: Path, number: int) -> tuple[list[Tensor], list[np.ndarray]]:
    """Return frames [3, 240, 320] and, for each, the affine map [2, 3] from the first one."""
    picture = load_image(assets / "leuven_a.jpg").permute(1, 2, 0).numpy()
    height, width = picture.shape[:2]
    start = np.array([[0.5, 0, (SIZE[0] - width / 2) / 2], [0, 0.5, (SIZE[1] - height / 2) / 2]])
    frames, maps = [], []
    for index in range(number):
        angle, scale = np.deg2rad(0.5 * index), 1 + 0.004 * index
        cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
        moved = np.array([[cosine, -sine, 2.5 * index], [sine, cosine, -1.5 * index]])
        whole = moved[:, :2] @ start
        whole[:, 2] += moved[:, 2]
        shown = cv2.warpAffine(
            picture, whole, SIZE, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT
        )
        frames.append(torch.from_numpy(shown).permute(2, 0, 1).clamp(0, 1).contiguous())
        maps.append(moved)
    return frames, maps
