"""The matcher that hloc imports as ``hloc.matchers.gluestick``."""

from collections.abc import Mapping
from typing import Any

from hloc.utils.base_model import BaseModel
from torch import Tensor

from gluestick.bridges.hloc.models import MATCHER_OPTIONS, load_model
from gluestick.bridges.hloc.wireframes import hloc_matches, wireframe_from_hloc


class GlueStickMatcher(BaseModel):
    """Matches what the extractor found; see ``MATCHER_OPTIONS`` for its options."""

    default_conf = MATCHER_OPTIONS
    required_inputs = ("keypoints0", "descriptors0", "keypoints1", "descriptors1")

    def _init(self, conf: Mapping[str, Any]) -> None:
        self.matcher = load_model(conf, known=MATCHER_OPTIONS)
        self.junctions = bool(conf["junctions"])

    def _forward(self, data: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Match one pair.

        Args:
            data: What hloc read from its feature file, with suffix 0 and 1.

        Returns:
            See :func:`gluestick.bridges.hloc.wireframes.hloc_matches`.

        Raises:
            ValueError: If the features are not those of the extractor.
        """
        sides = (wireframe_from_hloc(data, side=side) for side in (0, 1))
        return hloc_matches(self.matcher.match(*sides), junctions=self.junctions)
