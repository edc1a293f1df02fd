"""DISK keypoints and descriptors.

Tyszkiewicz et al., "DISK: Learning local features with policy gradient", NeurIPS 2020. The
network is kornia's.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from gluestick.features.points.download import DOWNLOAD, fetch_weights
from gluestick.features.points.sampling import DenseSampler, find_peaks
from gluestick.features.points.selection import (
    allowed_pixels,
    check_detector_options,
    chosen_limit,
    strongest,
)
from gluestick.precision import never_autocast
from gluestick.storage.parameters import load_strict, read_parameters
from gluestick.types import Points

_STRIDE = 16


@dataclass(frozen=True, kw_only=True)
class DiskConfig:
    """Options of :class:`Disk`.

    Attributes:
        max_num_keypoints: How many keypoints at most, or None for no limit.
        detection_threshold: The logit that a keypoint exceeds; 0 is a probability of a half.
        nms_radius: A keypoint has the largest score within this many px, at least 1.
    """

    max_num_keypoints: int | None = 1024
    detection_threshold: float = 0.0
    nms_radius: int = 2

    def __post_init__(self) -> None:
        check_detector_options(
            "DiskConfig",
            max_num_keypoints=self.max_num_keypoints,
            nms_radius=self.nms_radius,
            least_radius=1,
        )


class Disk(nn.Module):
    """Detects and describes keypoints with DISK.

    The constructor builds the network with random weights; :meth:`from_pretrained` loads them.

    Args:
        config: The options.
    """

    def __init__(self, config: DiskConfig | None = None) -> None:
        from kornia.feature import DISK

        super().__init__()
        self.config = config or DiskConfig()
        self.network = DISK()
        self.descriptor_dim: int = self.network.desc_dim
        self.eval()

    @classmethod
    def from_pretrained(cls, config: DiskConfig | None = None, *, weights: str) -> "Disk":
        """Build the detector and load its weights.

        Args:
            config: The options.
            weights: A checkpoint file such as ``depth-save.pth`` of the DISK repository, or
                "download" to let kornia fetch the depth weights.

        Raises:
            ValueError: If the file is missing, damaged or belongs to another network, or the
                download fails.
        """
        from kornia.feature import DISK

        detector = cls(config)
        if weights == DOWNLOAD:
            state = fetch_weights("DISK", DISK.from_pretrained)
        else:
            state, _ = read_parameters(weights)
        load_strict(detector.network, state, source=weights)
        return detector

    @torch.no_grad()
    @never_autocast
    def detect(
        self, image: Tensor, *, mask: Tensor | None = None, max_num_keypoints: int | None = None
    ) -> Points:
        """Find and describe keypoints; see :class:`gluestick.features.protocols.PointDetector`.

        Args:
            image: [3, H, W] float32 in [0, 1], RGB.
            mask: [H, W] bool; keypoints lie only where it is True.
            max_num_keypoints: How many keypoints at most, or None for the configured number.

        Returns:
            Keypoints at whole pixels, their logits as scores, and descriptors [N, 128].

        Raises:
            ShapeError: If the image or the mask has another shape.
        """
        limit = chosen_limit(max_num_keypoints, self.config.max_num_keypoints)
        allowed = allowed_pixels(image, mask)
        height, width = allowed.shape
        # The instance norms need more than one pixel at the coarsest level.
        padding = (
            max(2 * _STRIDE - width, -width % _STRIDE),
            max(2 * _STRIDE - height, -height % _STRIDE),
        )
        padded = F.pad(image[None], (0, padding[0], 0, padding[1]))
        heatmap, dense = self.network.heatmap_and_dense_descriptors(padded)
        scores = heatmap[0, 0, :height, :width]
        dense = dense[0, :, :height, :width]  # [D, H, W]

        peaks = find_peaks(
            scores,
            radius=self.config.nms_radius,
            threshold=self.config.detection_threshold,
            allowed=allowed,
        )
        x, y = peaks.x[peaks.strict], peaks.y[peaks.strict]
        order = strongest(scores[y, x], max_num_keypoints=limit)
        x, y = x[order], y[order]
        keypoints = torch.stack([x, y], dim=1).to(scores.dtype)
        describe = DenseSampler(dense=dense)
        return Points(
            keypoints=keypoints,
            scores=scores[y, x],
            descriptors=describe(keypoints),
            describe=describe,
        )
