"""Match two images by keypoints and line segments."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gluestick.images.load import load_image
    from gluestick.match_images import PairResult, match
    from gluestick.pipeline import PointLineMatcher
    from gluestick.types import Camera, Features, Lines, Matches, Pose, Wireframe

__all__ = [
    "Camera",
    "Features",
    "Lines",
    "Matches",
    "PairResult",
    "PointLineMatcher",
    "Pose",
    "Wireframe",
    "load_image",
    "match",
]

__version__ = "0.1.0"

_MODULES = {
    "PairResult": "gluestick.match_images",
    "PointLineMatcher": "gluestick.pipeline",
    "load_image": "gluestick.images.load",
    "match": "gluestick.match_images",
}
"""Where the public names are; the others are in :mod:`gluestick.types`."""


def __getattr__(name: str) -> Any:
    """Import a public name where it is first used (PEP 562): torch alone takes a second."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULES.get(name, "gluestick.types")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names also before they are imported."""
    return sorted({*globals(), *__all__})
