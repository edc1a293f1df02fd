"""What hloc's steps do to files and models, written from its formats."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d


def store_features(
    path: Path, model: Any, images: dict[str, Tensor], *, shrink: int = 1, half: bool = True
) -> None:
    """Extract images [3, H, W], seen at a fraction of their size, as ``extract_features`` does."""
    with h5py.File(path, "a") as file:
        for name, image in images.items():
            seen = avg_pool2d(image[None], shrink)
            found = {key: value[0].cpu().numpy() for key, value in model({"image": seen}).items()}
            size = np.array(image.shape[:0:-1])
            factor = (size / seen.shape[:1:-1]).astype(np.float32)
            found["image_size"] = size
            found["keypoints"] = (found["keypoints"] + 0.5) * factor[None] - 0.5
            for key, value in found.items():
                small = half and value.dtype == np.float32
                file[f"{name}/{key}"] = value.astype(np.float16) if small else value
            file[f"{name}/keypoints"].attrs["uncertainty"] = factor.mean()


def store_matches(path: Path, model: Any, features: Path, name0: str, name1: str) -> None:
    """Match a pair as ``match_features`` does: every dataset goes to the model, as float32."""
    data = {}
    with h5py.File(features) as file:
        for side, name in enumerate((name0, name1)):
            for key, value in file[name].items():
                data[f"{key}{side}"] = torch.from_numpy(np.asarray(value)).float()[None]
            width, height = file[name]["image_size"][()]
            data[f"image{side}"] = torch.empty(1, 1, height, width)
    found = model(data)
    with h5py.File(path, "a") as file:
        group = file.create_group("/".join(name.replace("/", "-") for name in (name0, name1)))
        group["matches0"] = found["matches0"][0].cpu().numpy().astype(np.int16)
        group["matching_scores0"] = found["matching_scores0"][0].cpu().numpy().astype(np.float16)


def read_keypoints(path: Path, name: str) -> tuple[np.ndarray, float]:
    """Read keypoints [N, 2] px, (0, 0) at a pixel's centre, and their noise in px."""
    with h5py.File(path) as file:
        keypoints = file[name]["keypoints"]
        return keypoints[()], float(keypoints.attrs["uncertainty"])


def read_pairs(path: Path, name0: str, name1: str) -> tuple[np.ndarray, np.ndarray]:
    """Read the matches of a pair, whichever way round it is: [S, 2] and their scores [S]."""
    names = [name.replace("/", "-") for name in (name0, name1)]
    with h5py.File(path) as file:
        turned = f"{names[0]}/{names[1]}" not in file
        group = file["/".join(names[::-1] if turned else names)]
        partners, scores = group["matches0"][()], group["matching_scores0"][()]
    matched = np.flatnonzero(partners != -1)
    pairs = np.stack([matched, partners[matched]], axis=1)
    return pairs[:, ::-1] if turned else pairs, scores[matched]
