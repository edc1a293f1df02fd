"""Networks that match two wireframes, and the files they are stored in."""

from gluestick.matching.gluestick import GlueStick, GlueStickConfig
from gluestick.matching.lightgluestick import LightGlueStick
from gluestick.matching.lightgluestick_config import LightGlueStickConfig

__all__ = ["GlueStick", "GlueStickConfig", "LightGlueStick", "LightGlueStickConfig"]
