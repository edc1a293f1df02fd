"""Coordinates along and across line segments."""

from dataclasses import dataclass
from typing import Any, Generic

import numpy as np
import torch
from torch import Tensor

from gluestick.geometry.lines import line_lengths, turned_by_90_degrees
from gluestick.geometry.points import Array


@dataclass(frozen=True, kw_only=True)
class LineFrames(Generic[Array]):
    """Frames of line segments, with the origin at the first endpoint.

    The first coordinate of a point runs along the segment, from 0 to its length; the second is
    the signed distance from its line, positive on the side to which :attr:`normal` points. The
    fields are numpy arrays or torch tensors, and so are the coordinates.

    Attributes:
        origin: [..., 2] px, the first endpoints.
        step: [..., 2] px, from the first to the second endpoints.
        length: [...] px, by which steps are divided to give directions.
    """

    origin: Array
    step: Array
    length: Array

    @classmethod
    def of(cls, lines: Array, *, length: Array | None = None) -> "LineFrames[Array]":
        """Return the frames of segments.

        Args:
            lines: [..., 2, 2] px. Without length, the coordinates are NaN.
            length: [...] px, in place of the lengths of the segments.

        Returns:
            The frames.
        """
        first, second = lines[..., 0, :], lines[..., 1, :]
        return cls(
            origin=first,
            step=second - first,
            length=line_lengths(lines) if length is None else length,
        )

    @property
    def direction(self) -> Array:
        """[..., 2], of unit length, from the first to the second endpoint."""
        return self.step / self.length[..., None]

    @property
    def normal(self) -> Array:
        """[..., 2], the direction turned by +90 degrees from the x towards the y axis."""
        return turned_by_90_degrees(self.direction)

    def select(self, index: Any) -> "LineFrames[Array]":
        """Return some of the frames, chosen as arrays are indexed."""
        return LineFrames(
            origin=self.origin[index], step=self.step[index], length=self.length[index]
        )

    def coordinates(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Return the coordinates of points in the frame they belong to.

        Args:
            x: [..., S] px, S points for each frame, or shapes that broadcast to this.
            y: [..., S] px.

        Returns:
            Along and across, [..., S] px.
        """
        x, y = x - self.origin[..., :1], y - self.origin[..., 1:]
        direction = self.direction
        dx, dy = direction[..., :1], direction[..., 1:]
        return x * dx + y * dy, y * dx - x * dy

    def coordinates_of_all(self, points: Array) -> tuple[Array, Array]:
        """Return the coordinates of all points in all frames, by a product of matrices.

        It is faster than :meth:`coordinates` and, far from the origin of the image, rounds more.

        Args:
            points: [..., N, 2] px, where the frames are [..., M].

        Returns:
            Along and across, [..., N, M] px.
        """
        along, across = (
            points @ equation[..., :2].swapaxes(-1, -2) + equation[..., None, :, 2]
            for equation in self.equations()
        )
        return along, across

    def equations(self) -> tuple[Array, Array]:
        """Return the rows [..., 3] whose products with (x, y, 1) are along and across, px."""
        return self._equation(self.direction), self._equation(self.normal)

    def fraction_equation(self) -> Array:
        """Return the rows [..., 3] whose products with (x, y, 1) are along over the length."""
        return self._equation(self.step / self.length[..., None] ** 2)

    def _equation(self, axis: Array) -> Array:
        offset = -(axis * self.origin).sum(-1)[..., None]
        if isinstance(axis, Tensor):
            return torch.cat([axis, offset], dim=-1)
        return np.concatenate([axis, offset], axis=-1)
