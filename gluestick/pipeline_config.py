"""The configuration of everything from images to matches, and where trained weights keep it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from gluestick.features.extractor import FeatureExtractorConfig
from gluestick.matching.gluestick import GlueStickConfig
from gluestick.matching.lightgluestick_config import LightGlueStickConfig
from gluestick.storage.dataclass_json import from_json, to_json
from gluestick.storage.parameters import CheckpointError, read_metadata
from gluestick.viewpoint.better_views import MatchedViewConfig
from gluestick.viewpoint.turns.relative_turn import RelativeTurnConfig
from gluestick.viewpoint.turns.turn_search import TurnSearchConfig
from gluestick.viewpoint.view_modes import Rotation, View, view_of_rotation
from gluestick.viewpoint.view_search import ViewSearchConfig
from gluestick.wireframe.build import WireframeConfig

_PIPELINE, _MODEL, _BASE = "pipeline", "model", "base"


@dataclass(frozen=True, kw_only=True)
class PipelineConfig:
    """Everything from images to matches.

    Attributes:
        features: Image loading size, point detector and line detector.
        wireframe: How line endpoints and keypoints become a graph.
        network: Which of the two networks matches.
        lightgluestick: Its configuration, used if it is chosen.
        gluestick: Its configuration, used if it is chosen.
        view: In which views the images of a pair are seen; see
            :data:`gluestick.viewpoint.view_modes.View`.
        relative_turn: The options of the vote on how far image 1 is turned.
        turn_search: The options of the search for pairs on which the vote does not help.
        matched_view: When what was matched calls for other views.
        view_search: The options of the search for views of pairs that match next to nothing.
        rotation: An earlier name in place of ``view``, which it sets: "auto" means "turn" and
            "exhaustive" means "turns". None afterwards.
    """

    features: FeatureExtractorConfig = field(default_factory=FeatureExtractorConfig)
    wireframe: WireframeConfig = field(default_factory=WireframeConfig)
    network: Literal["lightgluestick", "gluestick"] = "lightgluestick"
    lightgluestick: LightGlueStickConfig = field(default_factory=LightGlueStickConfig)
    gluestick: GlueStickConfig = field(default_factory=GlueStickConfig)
    view: View = "auto"
    relative_turn: RelativeTurnConfig = field(default_factory=RelativeTurnConfig)
    turn_search: TurnSearchConfig = field(default_factory=TurnSearchConfig)
    matched_view: MatchedViewConfig = field(default_factory=MatchedViewConfig)
    view_search: ViewSearchConfig = field(default_factory=ViewSearchConfig)
    rotation: Rotation | None = None

    def __post_init__(self) -> None:
        if self.rotation is not None:
            object.__setattr__(self, "view", view_of_rotation(self.rotation))
            object.__setattr__(self, "rotation", None)


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """What a file of weights that ``gluestick train`` wrote says about itself.

    Attributes:
        config: The pipeline that the weights belong to.
        model: The named model that training started from, or "".
        base: The named model whose shipped weights are taken where the file has none; "" for
            files that have all.
    """

    config: PipelineConfig
    model: str = ""
    base: str = ""

    def metadata(self) -> Mapping[str, str]:
        """Return what is stored in the file."""
        return {_PIPELINE: to_json(self.config), _MODEL: self.model, _BASE: self.base}

    @classmethod
    def of_file(cls, path: str | Path) -> "TrainedModel | None":
        """Read what a file says about itself.

        Args:
            path: The file.

        Returns:
            None where it says nothing, or is missing or no safetensors file.

        Raises:
            CheckpointError: If what it says does not fit this version.
        """
        metadata = read_metadata(path)
        if _PIPELINE not in metadata:
            return None
        try:
            config = from_json(PipelineConfig, metadata[_PIPELINE])
        except (ValueError, TypeError, AttributeError) as error:
            raise CheckpointError(
                f"the configuration in {path} does not fit this version: {error}"
            ) from error
        return cls(config=config, model=metadata.get(_MODEL, ""), base=metadata.get(_BASE, ""))
