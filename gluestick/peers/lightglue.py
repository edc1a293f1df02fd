"""LightGlue as kornia has it, on keypoints alone.

Lindenberger, Sarlin and Pollefeys, "LightGlue: Local Feature Matching at Light Speed", ICCV 2023.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from gluestick.matching.checkpoints import read_checkpoint
from gluestick.matching.inputs import check_pair
from gluestick.peers.scored_matches import keypoint_matches, keypoint_nodes, no_assignment
from gluestick.precision import keeping_type, without_autocast
from gluestick.storage.parameters import load_strict
from gluestick.types import Matches, Wireframe

_CONSTANT = "confidence_thresholds"
_HALF_PIXEL = 0.5
"""A buffer that follows from the number of layers, and that files leave out."""


@dataclass(frozen=True, kw_only=True)
class KorniaLightGlueConfig:
    """Options of :class:`KorniaLightGlue`.

    Attributes:
        input_dim: The size of the descriptors.
        filter_threshold: The probability that a match must exceed.
    """

    input_dim: int = 128
    filter_threshold: float = 0.1


class KorniaLightGlue(nn.Module):
    """Matches keypoints with kornia's LightGlue, and leaves lines and junctions unmatched.

    All layers run on all keypoints, in single precision whatever the matcher's: early exit,
    pruning and half-precision attention are off. Pairs are matched one by one, since kornia's
    network takes no masks.

    The constructor builds the network with random weights; :meth:`from_pretrained` loads them.

    Args:
        config: The options.
    """

    def __init__(self, config: KorniaLightGlueConfig | None = None) -> None:
        from kornia.feature import LightGlue

        super().__init__()
        self.config = config or KorniaLightGlueConfig()
        no_download: Any = None
        with _attention_setting_kept():
            self.network = LightGlue(
                no_download,
                input_dim=self.config.input_dim,
                flash=False,
                depth_confidence=-1,
                width_confidence=-1,
                filter_threshold=self.config.filter_threshold,
            )
        self.eval()

    @classmethod
    def from_pretrained(
        cls, config: KorniaLightGlueConfig | None = None, *, weights: str | Path
    ) -> "KorniaLightGlue":
        """Build the network and load its weights.

        Args:
            config: The options.
            weights: A checkpoint of LightGlue for the detector, such as aliked_lightglue.pth.

        Raises:
            ValueError: If the file is missing, damaged or belongs to another network.
        """
        matcher = cls(config)
        state_dict, _ = read_checkpoint(weights)
        constant = {_CONSTANT: matcher.network.get_buffer(_CONSTANT)}
        load_strict(matcher.network, {**state_dict, **constant}, source=weights)
        return matcher

    def _apply(self, fn: Callable[[Tensor], Tensor], *args: Any, **kwargs: Any) -> Any:
        return super()._apply(keeping_type(fn), *args, **kwargs)

    def forward(self, wireframe0: Wireframe, wireframe1: Wireframe) -> Matches:
        """Match two batches of wireframes, pair by pair.

        Args:
            wireframe0: The wireframes of the images 0.
            wireframe1: The wireframes of the images 1, as many.

        Returns:
            The matches between keypoints; none between lines and between junctions.

        Raises:
            ValueError: If the batches or descriptors do not fit, or are not finite.
        """
        check_pair(wireframe0, wireframe1, descriptor_dim=self.config.input_dim)
        num_nodes0, num_nodes1 = wireframe0.keypoints.shape[1], wireframe1.keypoints.shape[1]
        assignment = no_assignment(wireframe0.descriptors, num_nodes0, num_nodes1)
        chosen0, chosen1 = keypoint_nodes(wireframe0), keypoint_nodes(wireframe1)
        for row in range(wireframe0.batch_size):
            nodes0, nodes1 = (chosen[row].nonzero()[:, 0] for chosen in (chosen0, chosen1))
            if len(nodes0) == 0 or len(nodes1) == 0:
                continue
            images = {
                "image0": _kornia_input(wireframe0, row, nodes0),
                "image1": _kornia_input(wireframe1, row, nodes1),
            }
            with without_autocast(assignment.device):
                result = self.network(images)
            rows = F.pad(nodes0, (0, 1), value=num_nodes0)
            columns = F.pad(nodes1, (0, 1), value=num_nodes1)
            assignment[row, rows[:, None], columns] = result["log_assignment"][0]
        return keypoint_matches(
            wireframe0, wireframe1, assignment, threshold=self.config.filter_threshold
        )


def _kornia_input(wireframe: Wireframe, row: int, nodes: Tensor) -> dict[str, Tensor]:
    """Return the chosen nodes of one image as kornia takes them.

    Kornia refuses coordinates outside [0, size]; keypoints between the border of the image and
    the centres of its outermost pixels are moved by up to half a pixel. The corners of turned
    images lie farther outside, and there the size is enlarged about the centre.
    """
    keypoints = wireframe.keypoints[row, nodes]
    image_size = wireframe.image_size[row].to(keypoints.dtype)
    outside = torch.maximum(-keypoints, keypoints - image_size).amax(dim=0)  # [2]
    margin = torch.where(outside > _HALF_PIXEL, outside, 0)
    image_size = image_size + 2 * margin
    keypoints = (keypoints + margin).clamp_min(0).minimum(image_size)
    return {
        "keypoints": keypoints[None],
        "descriptors": wireframe.descriptors[row, nodes][None],
        "image_size": image_size[None],
    }


@contextmanager
def _attention_setting_kept() -> Iterator[None]:
    """Undo that kornia sets, for the whole process, whether flash attention may be used."""
    enabled = torch.backends.cuda.flash_sdp_enabled()
    try:
        yield
    finally:
        torch.backends.cuda.enable_flash_sdp(enabled)
