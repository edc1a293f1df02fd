"""Panoramas: several photographs in one picture, by the homographies between them.

Brightness, seams and blending are OpenCV's stitching module (Brown and Lowe, "Automatic Panoramic
Image Stitching using Invariant Features", IJCV 2007).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from torch import Tensor

from gluestick.geometry.homography import transform_points
from gluestick.visualization.inputs import to_rgb
from gluestick.visualization.layout import Layout

MAX_PIXELS = 2**27
"""The largest panorama unless the caller allows more: about 134 megapixels."""

_SEAM_PIXELS = 1e5
"""At this many pixels per photograph seams are sought."""

_MAX_STRETCH = 4.0
"""How many times its area a photograph may take on a plane before a sphere is used."""


class _Part(NamedTuple):
    """A photograph as it lies in the panorama: its upper left corner, pixels and mask."""

    corner: tuple[int, int]
    picture: np.ndarray
    mask: np.ndarray


def draw_panorama(
    images: Sequence[np.ndarray | Tensor], layout: Layout, *, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """Draw the connected photographs of a layout in one picture.

    They are drawn on the plane of the reference. Where that would stretch one of them to more
    than four times its area, or behind the horizon, they are taken as views of a camera that
    only turns, and drawn on a sphere.

    Args:
        images: The N photographs, tensors [3, H, W] in [0, 1] or arrays [H, W, 3] or [H, W].
        layout: Where they lie.
        max_pixels: The largest width times height of the picture.

    Returns:
        [H, W, 3] uint8, RGB, black where there is nothing.

    Raises:
        ValueError: If fewer than two photographs are connected, the picture would be larger
            than ``max_pixels``, or neither a plane nor a sphere can show them.
    """
    placed = [
        (to_rgb(image), H)
        for image, H in zip(images, layout.H_to_reference, strict=True)
        if H is not None
    ]
    if len(placed) < 2:
        raise ValueError(
            f"a panorama needs two photographs that are connected, found {len(placed)}"
        )
    pictures = [picture for picture, _ in placed]
    homographies = [H for _, H in placed]
    reference = next(i for i, H in enumerate(homographies) if np.array_equal(H, np.eye(3)))
    outlines = [_outline(picture, H) for picture, H in placed]
    if all(outline is not None for outline in outlines):
        corners = np.concatenate([outline for outline in outlines if outline is not None])
        _check_size(np.ptp(corners, axis=0), max_pixels)
        parts = [_on_plane(picture, H) for picture, H in placed]
    else:
        parts = _on_sphere(pictures, homographies, reference, max_pixels=max_pixels)
    return _blend(parts)


def _outline(picture: np.ndarray, H: np.ndarray) -> np.ndarray | None:
    """Return where the corners of a photograph lie, or None if a plane cannot show it."""
    height, width = picture.shape[:2]
    corners = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1.0]])
    depth = corners @ H[2, :2] + H[2, 2]
    if (depth * np.sign(np.linalg.det(H)) <= 0).any():
        return None
    mapped = transform_points(H, corners)
    area = abs(cv2.contourArea(mapped.astype(np.float32)))
    return mapped if area <= _MAX_STRETCH * width * height else None


def _check_size(size: np.ndarray, max_pixels: int) -> None:
    width, height = np.ceil(size).astype(int) + 1
    if width * height > max_pixels:
        raise ValueError(
            f"the panorama would have {width} x {height} pixels, more than the limit of "
            f"{max_pixels}: shrink the photographs, or raise max_pixels"
        )


def _on_plane(picture: np.ndarray, H: np.ndarray) -> _Part:
    outline = _outline(picture, H)
    assert outline is not None
    left, top = np.floor(outline.min(axis=0)).astype(int)
    width, height = np.ceil(outline.max(axis=0)).astype(int) - [left, top] + 1
    to_part = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]]) @ H
    size = (int(width), int(height))
    warped = cv2.warpPerspective(picture, to_part, size, borderMode=cv2.BORDER_REFLECT)
    whole = np.full(picture.shape[:2], 255, np.uint8)
    mask = cv2.warpPerspective(whole, to_part, size, flags=cv2.INTER_NEAREST)
    return _Part((int(left), int(top)), warped, mask)


def _on_sphere(
    pictures: Sequence[np.ndarray],
    homographies: Sequence[np.ndarray],
    reference: int,
    *,
    max_pixels: int,
) -> list[_Part]:
    centres = [(np.array(picture.shape[1::-1]) - 1) / 2 for picture in pictures]
    centred = [
        _shift(-centres[reference]) @ H @ _shift(centre)
        for H, centre in zip(homographies, centres, strict=True)
    ]
    focal = _focal_length([H for index, H in enumerate(centred) if index != reference])
    K = np.diag([focal, focal, 1.0])
    rotations = [_nearest_rotation(np.linalg.inv(K) @ H @ K) for H in centred]
    upright: Sequence[Any] = cv2.detail.waveCorrect(
        [R.astype(np.float32) for R in rotations], cv2.detail.WAVE_CORRECT_HORIZ
    )
    warper = cv2.PyRotationWarper("spherical", focal)
    cameras = [(_shift(centre) @ K).astype(np.float32) for centre in centres]
    places = [
        warper.warpRoi(picture.shape[1::-1], camera, R)
        for picture, camera, R in zip(pictures, cameras, upright, strict=True)
    ]
    low = np.min([place[:2] for place in places], axis=0)
    high = np.max([np.add(place[:2], place[2:]) for place in places], axis=0)
    _check_size(high - low, max_pixels)
    parts = []
    for picture, camera, R in zip(pictures, cameras, upright, strict=True):
        corner, warped = warper.warp(picture, camera, R, cv2.INTER_LINEAR, cv2.BORDER_REFLECT)
        whole = np.full(picture.shape[:2], 255, np.uint8)
        _, mask = warper.warp(whole, camera, R, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT)
        parts.append(_Part((int(corner[0]), int(corner[1])), warped, mask))
    return parts


def _shift(offset: np.ndarray) -> np.ndarray:
    H = np.eye(3)
    H[:2, 2] = offset
    return H


def _focal_length(homographies: Sequence[np.ndarray]) -> float:
    """Return the focal length, px, of a turning camera: the median over its homographies."""
    found = [focal for H in homographies for focal in _focal_lengths(H)]
    if not found:
        raise ValueError(
            "the photographs cannot be shown on a plane, and their homographies are not those of "
            "a camera that only turns: leave out those that are seen from the side"
        )
    return float(np.median(found))


def _focal_lengths(H: np.ndarray) -> list[float]:
    """Return what the columns and the rows of a homography between centred images tell.

    With K = diag(f, f, 1), K^-1 H K is a multiple of a rotation: its first two columns are
    orthogonal and of one length, and so are its rows (Shum and Szeliski, "Construction of
    Panoramic Image Mosaics with Global and Local Alignment", IJCV 2000).
    """
    (a, b, c), (d, e, f), (g, h, _) = H
    columns = (
        np.array([g * h, h**2 - g**2]),
        np.array([-(a * b + d * e), a**2 + d**2 - b**2 - e**2]),
    )
    rows = np.array([a * d + b * e, d**2 + e**2 - a**2 - b**2]), np.array([-c * f, c**2 - f**2])
    squares = [
        float(factors @ values) / float(factors @ factors)
        for factors, values in (columns, rows)
        if factors @ factors > 0
    ]
    return [square**0.5 for square in squares if 0 < square < np.inf]


def _nearest_rotation(matrix: np.ndarray) -> np.ndarray:
    U, _, Vt = np.linalg.svd(matrix * np.sign(np.linalg.det(matrix)))
    return U @ Vt


def _blend(parts: Sequence[_Part]) -> np.ndarray:
    corners = [part.corner for part in parts]
    pictures = [part.picture for part in parts]
    masks = [part.mask for part in parts]
    stitching: Any = cv2.detail
    compensator = stitching.ExposureCompensator_createDefault(
        stitching.ExposureCompensator_GAIN_BLOCKS
    )
    compensator.feed(corners, pictures, masks)
    seams = _seams(parts)
    sizes = [picture.shape[1::-1] for picture in pictures]
    region = cv2.detail.resultRoi(corners=corners, sizes=sizes)
    blender = stitching.MultiBandBlender()
    blender.setNumBands(int(np.clip(np.log2(max(region[2:])) - 5, 1, 5)))
    blender.prepare(region)
    for index, (corner, picture, mask) in enumerate(parts):
        even = compensator.apply(index, corner, picture, mask)
        blender.feed(cv2.UMat(even.astype(np.int16)), seams[index], corner)
    picture, mask = blender.blend(None, None)
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    picture[mask == 0] = 0
    return picture


def _seams(parts: Sequence[_Part]) -> list[np.ndarray]:
    """Return for each part where it is shown, [H, W] uint8."""
    largest = max(part.mask.size for part in parts)
    scale = min(1.0, float((_SEAM_PIXELS / largest) ** 0.5))
    small, small_masks, corners = [], [], []
    for (left, top), picture, mask in parts:
        size = tuple(max(1, round(length * scale)) for length in mask.shape[::-1])
        shrunk = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        small.append(shrunk.astype(np.float32))
        small_masks.append(cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST))
        corners.append((round(left * scale), round(top * scale)))
    stitching: Any = cv2.detail
    finder = stitching.GraphCutSeamFinder("COST_COLOR")
    found = finder.find(small, corners, small_masks)
    seams = []
    for part, seam in zip(parts, found, strict=True):
        wide = cv2.dilate(
            seam.get() if isinstance(seam, cv2.UMat) else seam, np.ones((3, 3), np.uint8)
        )
        wide = cv2.resize(wide, part.mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
        seams.append(cv2.bitwise_and((wide > 127).astype(np.uint8) * 255, part.mask))
    return seams
