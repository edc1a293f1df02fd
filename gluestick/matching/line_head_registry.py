"""The line heads by name."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

from torch import nn

from gluestick.matching.guided_line_head import GuidedLineHead
from gluestick.matching.line_head import EndpointLineHead

LineHeadName = Literal["endpoints", "guided"]

LINE_HEADS: Mapping[str, Callable[[], nn.Module]] = MappingProxyType(
    {"endpoints": EndpointLineHead, "guided": GuidedLineHead}
)
"""Each takes two wireframes and what is known about their nodes."""
