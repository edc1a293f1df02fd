"""The tracks of a COLMAP model, laid out for the alignment of their patches."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from gluestick.geometry.pixels import corner_to_centre
from gluestick.types import Pose


@dataclass(frozen=True, kw_only=True)
class TrackLinks:
    """Observations in one photograph of points whose reference is another photograph.

    Attributes:
        image_id0: The photograph of the references.
        image_id1: The other photograph.
        keypoints0: [N] int64, the keypoints of the references.
        keypoints1: [N] int64, those of the other observations.
        points3d: [N, 3], the points in the world.
    """

    image_id0: int
    image_id1: int
    keypoints0: np.ndarray
    keypoints1: np.ndarray
    points3d: np.ndarray


class PosedCamera:
    """A camera and its pose as plain numbers.

    Args:
        pose: X_camera = R X_world + t.
        camera: A ``pycolmap.Camera``.
    """

    def __init__(self, pose: Pose, camera: Any) -> None:
        self.R, self.t = pose.R, pose.t
        self.centre = -self.R.T @ self.t
        self.focal_length = float(camera.mean_focal_length())
        self._camera = camera

    def in_camera(self, points3d: np.ndarray) -> np.ndarray:
        """Return points of the world [N, 3] in the frame of the camera."""
        return points3d @ self.R.T + self.t

    def to_world(self, points: np.ndarray) -> np.ndarray:
        """Return points of the frame of the camera [N, 3] in the world."""
        return (points - self.t) @ self.R

    def project(self, points3d: np.ndarray) -> np.ndarray:
        """Return where points of the world [N, 3] are seen, [N, 2] px, NaN behind the camera."""
        projected = np.full((len(points3d), 2), np.nan)
        for row, point in enumerate(self.in_camera(points3d)):
            found = self._camera.img_from_cam(point) if point[2] > 0 else None
            if found is not None:
                projected[row] = found
        return corner_to_centre(projected)


class PosedImage(PosedCamera):
    """A registered photograph as plain numbers.

    Args:
        image: A ``pycolmap.Image`` with a pose.
        camera: Its ``pycolmap.Camera``.
    """

    def __init__(self, image: Any, camera: Any) -> None:
        pose = image.cam_from_world()
        R, t = np.array(pose.rotation.matrix()), np.array(pose.translation)
        super().__init__(Pose(R=R, t=t), camera)
        self._image = image

    def keypoints(self, indices: np.ndarray) -> np.ndarray:
        """Return the positions of keypoints [N], [N, 2] px."""
        points = self._image.points2D
        positions = np.array([points[int(index)].xy for index in indices]).reshape(-1, 2)
        return corner_to_centre(positions)


def track_links(reconstruction: Any, images: dict[int, PosedImage]) -> list[TrackLinks]:
    """Return all links from a point's reference to its other observations.

    The reference of a point is the observation whose line of sight is nearest to the mean of
    all, so that the others see the point's surroundings as little differently as possible.

    Args:
        reconstruction: A ``pycolmap.Reconstruction``.
        images: Its registered photographs by number.

    Returns:
        The links, those from one photograph to another together, in the order of their numbers.
    """
    links: dict[tuple[int, int], list[tuple[int, int, np.ndarray]]] = defaultdict(list)
    for number in sorted(reconstruction.point3D_ids()):
        point = reconstruction.points3D[number]
        seen = [(each.image_id, each.point2D_idx) for each in point.track.elements]
        sights = np.stack([images[image_id].centre for image_id, _ in seen]) - point.xyz
        sights /= np.linalg.norm(sights, axis=1, keepdims=True)
        reference = int((sights @ sights.sum(axis=0)).argmax())
        image_id0, keypoint0 = seen[reference]
        for image_id1, keypoint1 in seen[:reference] + seen[reference + 1 :]:
            links[image_id0, image_id1].append((keypoint0, keypoint1, point.xyz))
    return [
        TrackLinks(
            image_id0=pair[0],
            image_id1=pair[1],
            keypoints0=np.array([link[0] for link in found]),
            keypoints1=np.array([link[1] for link in found]),
            points3d=np.array([link[2] for link in found]),
        )
        for pair, found in sorted(links.items())
    ]


def local_maps(image0: PosedCamera, image1: PosedCamera, points3d: np.ndarray) -> np.ndarray:
    """Return how steps of a pixel in one photograph become steps in another.

    The surface around each point is taken to face the first photograph.

    Args:
        image0: The first photograph.
        image1: The other one.
        points3d: [N, 3] in the world.

    Returns:
        [N, 2, 2]; NaN where a point is not in front of both.
    """
    points = image0.in_camera(points3d)
    pixel = points[:, 2] / image0.focal_length
    ends = []
    for axis in range(2):
        moved = points.copy()
        moved[:, axis] += pixel
        ends.append(image0.to_world(moved))
    start = image1.project(points3d)
    base = image0.project(points3d)
    to_image1 = np.stack([image1.project(end) - start for end in ends], axis=-1)
    to_image0 = np.stack([image0.project(end) - base for end in ends], axis=-1)
    with np.errstate(invalid="ignore"):
        usable = np.abs(np.linalg.det(to_image0)) > 1e-6
    maps = np.full(to_image1.shape, np.nan)
    maps[usable] = to_image1[usable] @ np.linalg.inv(to_image0[usable])
    return maps
