"""Where a small patch of one image lies in another, to a fraction of a pixel.

Lucas and Kanade's alignment in its inverse compositional form (Baker and Matthews, "Lucas-Kanade
20 Years On: A Unifying Framework", IJCV 2004) with an affine map, a gain and an offset of the grey
values, for many patches at once. The affine map is held near the one that it starts from, so that
patches with a single edge cannot drift in shape.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from scipy.ndimage import gaussian_filter, spline_filter


@dataclass(frozen=True, kw_only=True)
class AlignmentConfig:
    """Options of the alignment.

    Attributes:
        radius: Patches have ``2 * radius + 1`` px on each side.
        smoothing: Standard deviation of the filter that is applied to both images first, px.
        max_iterations: Steps at most.
        tolerance: A patch that moves by less is at its place, px.
        stiffness: How firmly the affine map is held, in units of the patch's own information.
        max_shift: A patch that moves further is given up, px.
        min_correlation: A patch that is less alike in the end is given up.
    """

    radius: int = 10
    smoothing: float = 0.8
    max_iterations: int = 15
    tolerance: float = 0.005
    stiffness: float = 0.5
    max_shift: float = 2.0
    min_correlation: float = 0.8


class SmoothImage:
    """An image that can be asked for its values between pixels.

    Cubic B-splines, whose sixteen terms are four bilinear samples of the coefficients (Sigg and
    Hadwiger, "Fast Third-Order Texture Filtering", GPU Gems 2, 2005).

    Args:
        gray: [H, W] grey values.
        smoothing: Standard deviation of the filter, px.
    """

    def __init__(self, gray: np.ndarray, *, smoothing: float) -> None:
        smooth = gaussian_filter(np.asarray(gray, np.float32), smoothing, mode="nearest")
        coefficients = spline_filter(smooth, order=3, output=np.float32, mode="mirror")
        self._coefficients = torch.from_numpy(coefficients)[None, None]
        self.size = gray.shape[1], gray.shape[0]

    def sample(self, positions: np.ndarray) -> np.ndarray:
        """Return the values [N, M] at positions [N, M, 2] px."""
        whole = np.floor(positions)
        f = positions - whole
        first, last = (1 - f) ** 3 / 6, f**3 / 6
        low = first + (4 - 6 * f**2 + 3 * f**3) / 6  # the weight of the two lower neighbours
        high = 1 - low
        below, above = whole - first / low, whole + 1 + last / high
        return (
            low[..., 1] * (low[..., 0] * self._bilinear(below[..., 0], below[..., 1]))
            + low[..., 1] * (high[..., 0] * self._bilinear(above[..., 0], below[..., 1]))
            + high[..., 1] * (low[..., 0] * self._bilinear(below[..., 0], above[..., 1]))
            + high[..., 1] * (high[..., 0] * self._bilinear(above[..., 0], above[..., 1]))
        )

    def _bilinear(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        unit = 2 * (np.stack([x, y], axis=-1) + 0.5) / np.array(self.size) - 1
        grid = torch.from_numpy(unit.astype(np.float32))[None]
        sampled = F.grid_sample(
            self._coefficients, grid, mode="bilinear", padding_mode="border", align_corners=False
        )
        return sampled[0, 0].numpy().astype(np.float64)

    def contains(self, positions: np.ndarray, *, margin: float) -> np.ndarray:
        """Return which positions [..., 2] are at least a margin inside, [...] bool."""
        far = np.array(self.size) - 1 - margin
        return np.all((positions >= margin) & (positions <= far), axis=-1)


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """Where patches were found.

    Attributes:
        positions: [N, 2] px, where the centres lie in the second image.
        correlations: [N] in [-1, 1], how alike the patches are there.
        found: [N] bool, whether to rely on it.
    """

    positions: np.ndarray
    correlations: np.ndarray
    found: np.ndarray


def align_patches(
    image0: SmoothImage,
    image1: SmoothImage,
    centres0: np.ndarray,
    centres1: np.ndarray,
    affines: np.ndarray,
    *,
    config: AlignmentConfig | None = None,
) -> Alignment:
    """Find patches of one image in another, near where they are expected.

    Args:
        image0: The image that the patches are of.
        image1: The image in which they are looked for.
        centres0: [N, 2] px, their centres.
        centres1: [N, 2] px, where these are expected.
        affines: [N, 2, 2], how steps in image 0 become steps in image 1.
        config: The options.

    Returns:
        Where they were found. What was not found keeps its expected place.
    """
    config = config or AlignmentConfig()
    offsets = _offsets(config.radius)  # [M, 2]
    template = _Templates(image0, centres0, offsets, stiffness=config.stiffness)
    shift, shape = np.array(centres1, np.float64), np.array(affines, np.float64)
    active = np.arange(len(centres0))
    for _ in range(config.max_iterations):
        if len(active) == 0:
            break
        step, change = template.solve(
            active, image1.sample(_placed(offsets, shift[active], shape[active]))
        )
        inverse = np.linalg.inv(np.eye(2) + change)
        moved = np.einsum("nij,njk,nk->ni", shape[active], inverse, step)
        shape[active] = shape[active] @ inverse
        shift[active] -= moved
        lost = ~(np.linalg.norm(shift[active] - centres1[active], axis=1) < 2 * config.max_shift)
        going = (np.linalg.norm(moved, axis=1) > config.tolerance) & ~lost
        active = active[going]
    correlations = template.correlations(image1.sample(_placed(offsets, shift, shape)))
    reach = config.radius * np.abs(shape).sum(axis=2).max(axis=1)
    found = (
        (correlations >= config.min_correlation)
        & (np.linalg.norm(shift - centres1, axis=1) <= config.max_shift)
        & image0.contains(centres0, margin=config.radius)
        & image1.contains(shift, margin=0)
        & (reach < 4 * config.radius)
    )
    positions = np.where(found[:, None], shift, centres1)
    return Alignment(positions=positions, correlations=correlations, found=found)


class _Templates:
    """The patches of image 0, and what turns a difference from them into a step."""

    def __init__(
        self, image: SmoothImage, centres: np.ndarray, offsets: np.ndarray, *, stiffness: float
    ) -> None:
        across, down = np.array([0.5, 0]), np.array([0, 0.5])
        where = centres[:, None] + offsets
        self.values = image.sample(where)  # [N, M]
        gradient = np.stack(
            [image.sample(where + half) - image.sample(where - half) for half in (across, down)],
            axis=-1,
        )  # [N, M, 2]
        radius = np.abs(offsets).max()
        self.weights = np.exp(-(offsets**2).sum(-1) / (2 * (0.6 * radius) ** 2))  # [M]
        mean = self._mean(self.values)
        centred = self.values - mean[:, None]
        scaled = offsets / radius
        shapes = gradient[..., :, None] * scaled[:, None, :]  # [N, M, 2, 2]
        basis = np.concatenate(
            [
                gradient,
                shapes.reshape(*shapes.shape[:2], 4),
                centred[..., None],
                np.ones((*centred.shape, 1)),
            ],
            axis=-1,
        )  # [N, M, 8]
        weighted = basis * self.weights[:, None]
        normal = weighted.swapaxes(1, 2) @ basis
        information = normal[:, [0, 1], [0, 1]].mean(axis=1)
        ridge = np.zeros(8)
        ridge[2:6] = stiffness
        normal += information[:, None, None] * np.diag(ridge)
        normal += 1e-9 * (1 + np.trace(normal, axis1=1, axis2=2))[:, None, None] * np.eye(8)
        self._solver = np.linalg.inv(normal) @ weighted.swapaxes(1, 2)  # [N, 8, M]
        self._radius = radius

    def solve(self, index: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return by how much patches [n] are off: in place [n, 2] and in shape [n, 2, 2]."""
        solution = np.einsum("nkm,nm->nk", self._solver[index], values)  # [n, 8]
        gain = solution[:, 6]
        gain = np.where(np.abs(gain) < 0.2, 0.2, gain)
        step = solution[:, :2] / gain[:, None]
        change = solution[:, 2:6].reshape(-1, 2, 2) / gain[:, None, None] / self._radius
        return np.clip(step, -1, 1), np.clip(change, -0.3, 0.3)

    def correlations(self, values: np.ndarray) -> np.ndarray:
        """Return the weighted correlation of the patches with others [N, M], [N]."""
        own = self.values - self._mean(self.values)[:, None]
        other = values - self._mean(values)[:, None]
        product = (self.weights * own * other).sum(axis=1)
        lengths = (self.weights * own**2).sum(axis=1) * (self.weights * other**2).sum(axis=1)
        return product / np.sqrt(np.maximum(lengths, 1e-12))

    def _mean(self, values: np.ndarray) -> np.ndarray:
        return values @ self.weights / self.weights.sum()


def _offsets(radius: int) -> np.ndarray:
    steps = np.arange(-radius, radius + 1.0)
    x, y = np.meshgrid(steps, steps)
    return np.stack([x.ravel(), y.ravel()], axis=1)


def _placed(offsets: np.ndarray, shift: np.ndarray, shape: np.ndarray) -> np.ndarray:
    return shift[:, None] + offsets @ shape.swapaxes(1, 2)
