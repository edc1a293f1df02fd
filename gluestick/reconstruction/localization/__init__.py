"""Query photographs get a place in a model: points and lines are matched to those in space."""

from gluestick.reconstruction.localization.folder import (
    Localization,
    LocalizationInputs,
    localize,
)
from gluestick.reconstruction.localization.query_pose import PoseConfig
from gluestick.reconstruction.localization.references import MatchingConfig

__all__ = ["Localization", "LocalizationInputs", "MatchingConfig", "PoseConfig", "localize"]
