"""The extractor that hloc imports as ``hloc.extractors.gluestick``."""

from collections.abc import Mapping
from typing import Any

from hloc.utils.base_model import BaseModel
from torch import Tensor

from gluestick.bridges.hloc.models import EXTRACTOR_OPTIONS, load_model
from gluestick.bridges.hloc.wireframes import hloc_prediction


class GlueStickExtractor(BaseModel):
    """Finds the points and lines of an image; see ``EXTRACTOR_OPTIONS`` for its options."""

    default_conf = EXTRACTOR_OPTIONS
    required_inputs = ("image",)

    def _init(self, conf: Mapping[str, Any]) -> None:
        self.matcher = load_model(conf, known=EXTRACTOR_OPTIONS)

    def _forward(self, data: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Extract one image.

        Args:
            data: ``image`` [1, 1 or 3, H, W] in [0, 1].

        Returns:
            See :func:`gluestick.bridges.hloc.wireframes.hloc_prediction`.
        """
        return hloc_prediction(self.matcher.extract(data["image"]))
