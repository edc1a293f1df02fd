"""All segments of all views in one set of arrays, with their viewing planes and rays."""

from collections.abc import Sequence

import numpy as np

from gluestick.geometry.lines import line_lengths
from gluestick.geometry.points import to_homogeneous
from gluestick.reconstruction.lines.values import LineView


class ViewingPlanes:
    """The S segments of V views.

    Distances are in px of the image in which a segment was detected, everywhere.

    Args:
        views: The views.

    Attributes:
        starts: [V + 1] int64, where the segments of each view begin; the last is S.
        view: [S] int64, the view of each segment.
        ends: [S, 2, 2] px of the photograph.
        pixel: [S], how many px of the photograph a detection px is.
        length: [S], in detection px.
        centre: [S, 3], the centre of the camera.
        rays: [S, 2, 3], the directions towards both ends in the world, of unit depth.
        normal: [S, 3], the unit normal of the viewing plane; 0 for segments without length.
    """

    def __init__(self, views: Sequence[LineView]) -> None:
        counts = np.array([len(view.lines) for view in views], dtype=np.int64)
        self.starts = np.concatenate([[0], np.cumsum(counts)])
        self.view = np.repeat(np.arange(len(views)), counts)
        self.ends = np.concatenate(
            [np.zeros((0, 2, 2)), *(np.asarray(view.lines, np.float64) for view in views)]
        )
        self._R = np.array([view.pose.R for view in views], np.float64).reshape(-1, 3, 3)
        self._t = np.array([view.pose.t for view in views], np.float64).reshape(-1, 3)
        K = np.array([view.K for view in views], np.float64).reshape(-1, 3, 3)
        self._K, self._inverse_K = K, np.linalg.inv(K)
        self.pixel = np.array([view.pixel for view in views], np.float64)[self.view]
        self.length = line_lengths(self.ends) / self.pixel
        self.centre = -np.einsum("vji,vj->vi", self._R, self._t)[self.view]
        to_world = np.einsum("vji,vjk->vik", self._R, self._inverse_K)[self.view]
        self.rays = np.einsum("sij,sej->sei", to_world, to_homogeneous(self.ends))
        across = np.cross(self.rays[:, 0], self.rays[:, 1])
        norm = np.linalg.norm(across, axis=1, keepdims=True)
        self.normal = across / np.where(norm > 0, norm, 1)

    def __len__(self) -> int:
        return len(self.view)

    def depths(self, points: np.ndarray, segments: np.ndarray) -> np.ndarray:
        """Return the depths [N, K] of points [N, K, 3] in the views of segments [N]."""
        view = self.view[segments]
        return np.einsum("ni,nki->nk", self._R[view, 2], points) + self._t[view, 2, None]

    def project(self, points: np.ndarray, segments: np.ndarray) -> np.ndarray:
        """Return where points [N, K, 3] are seen in the views of segments [N], [N, K, 2] px."""
        view = self.view[segments]
        in_camera = np.einsum("nij,nkj->nki", self._R[view], points) + self._t[view, None]
        pixels = np.einsum("nij,nkj->nki", self._K[view], in_camera)
        with np.errstate(divide="ignore", invalid="ignore"):
            return pixels[..., :2] / pixels[..., 2:]

    def distances(
        self, points: np.ndarray, directions: np.ndarray, segments: np.ndarray
    ) -> np.ndarray:
        """Return how far the ends of segments are from projected lines.

        Args:
            points: [N, 3], a point of each line.
            directions: [N, 3], its direction.
            segments: [N], the segments.

        Returns:
            [N, 2], signed.
        """
        return self._distances(points, directions, segments)[0]

    def distances_and_derivatives(
        self, points: np.ndarray, directions: np.ndarray, segments: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return signed distances [N, 2], and their derivatives by points and directions.

        Both derivatives are [N, 2, 3]; the arguments are those of :meth:`distances`.
        """
        found, image_lines, scale = self._distances(points, directions, segments)
        view, ends = self.view[segments], to_homogeneous(self.ends[segments])
        by_line = ends / scale[:, None, None]  # of the distances, by the image line
        by_scale = image_lines[:, :2] / scale[:, None] ** 2
        by_line[..., :2] -= (found * self.pixel[segments, None])[..., None] * by_scale[:, None]
        by_line /= self.pixel[segments, None, None]
        by_normal = np.einsum("nej,nij->nei", by_line, self._inverse_K[view])
        R = self._R[view]
        point = np.einsum("nij,nj->ni", R, points) + self._t[view]
        direction = np.einsum("nij,nj->ni", R, directions)
        # The normal is point x direction, so g . d(normal) is (direction x g) . d(point) and
        # (g x point) . d(direction).
        by_point = np.cross(direction[:, None], by_normal) @ R
        by_direction = np.cross(by_normal, point[:, None]) @ R
        return found, by_point, by_direction

    def _distances(
        self, points: np.ndarray, directions: np.ndarray, segments: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        view = self.view[segments]
        point = np.einsum("nij,nj->ni", self._R[view], points) + self._t[view]
        direction = np.einsum("nij,nj->ni", self._R[view], directions)
        image_lines = np.einsum("nji,nj->ni", self._inverse_K[view], np.cross(point, direction))
        scale = np.maximum(np.linalg.norm(image_lines[:, :2], axis=1), np.finfo(np.float64).tiny)
        found = np.einsum("nej,nj->ne", to_homogeneous(self.ends[segments]), image_lines)
        found /= (scale * self.pixel[segments])[:, None]
        return found, image_lines, scale
