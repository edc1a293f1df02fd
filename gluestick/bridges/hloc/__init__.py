"""Inside hloc: importing this makes it know an extractor and a matcher, both named ``gluestick``.

``hloc.extract_features.main(FEATURES, ...)`` and ``hloc.match_features.main(MATCHES, ...)`` then
run as they do with hloc's own models. See ``docs/how_to/hloc.md``.
"""

from pathlib import Path
from typing import Any

from gluestick.bridges.programs import import_program

_INSTALL = "install hloc from its repository, cvg/Hierarchical-Localization"

FEATURES: dict[str, Any] = {
    "output": "feats-gluestick",
    "model": {"name": "gluestick"},
    "preprocessing": {"grayscale": False, "resize_max": None},
}
"""What ``extract_features`` is told. The model resizes by itself, so hloc need not."""

MATCHES: dict[str, Any] = {"output": "matches-gluestick", "model": {"name": "gluestick"}}
"""What ``match_features`` is told."""


def _extend(kind: str) -> None:
    """Have hloc look for models in the folder of ours as well."""
    package = import_program(f"hloc.{kind}", install=_INSTALL)
    folder = str(Path(__file__).parent / kind)
    if folder not in package.__path__:
        package.__path__.append(folder)


_extend("extractors")
_extend("matchers")
