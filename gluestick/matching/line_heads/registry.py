"""The line heads by name."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

from torch import nn

from gluestick.matching.line_heads.endpoints import EndpointLineHead
from gluestick.matching.line_heads.guided import GuidedLineHead
from gluestick.matching.line_heads.same_line import SameLineHead

LineHeadName = Literal["endpoints", "guided", "same_line"]

LINE_HEADS: Mapping[str, Callable[[], nn.Module]] = MappingProxyType(
    {"endpoints": EndpointLineHead, "guided": GuidedLineHead, "same_line": SameLineHead}
)
"""Each takes two wireframes and what is known about their nodes."""
