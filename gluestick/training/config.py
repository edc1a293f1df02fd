"""Everything about a run of training."""

from dataclasses import dataclass, field
from typing import Literal

from gluestick.pretrained import DEFAULT_MODEL
from gluestick.training.examples.extraction_config import ExtractionConfig
from gluestick.training.examples.pairs import DataConfig
from gluestick.training.loop import LoopConfig
from gluestick.training.optimization import OptimizationConfig
from gluestick.training.tasks.line_layers import LineLayersTaskConfig
from gluestick.training.tasks.matching import GlueStickTaskConfig, PointsTaskConfig
from gluestick.training.tasks.same_line import SameLineTaskConfig


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything about a run.

    Attributes:
        task: What is trained: ``same_line``, the head of the model as it is, from a cache of
            examples; ``line_layers``, line layers and the head together; ``points``, the part of
            LightGlueStick that matches keypoints; or ``gluestick``, the network of 2023 from
            random weights.
        model: The model to start from. For ``gluestick`` it finds the features.
        weights: A file of network weights, for models whose weights are not shipped, or in place
            of those that are.
        detector_weights: A file of point detector weights, for the same.
        init: A file with some or all parameters to start from instead, or "".
        cache: The folder of what is extracted once: features of pairs, with
            ``extraction.features=cached``, and examples for the head. It is filled first where it
            lacks some.
        output: The folder of the run.
        resume: Whether to go on from the last state in that folder, if there is one.
        data: The pairs.
        extraction: How pairs become examples.
        same_line: The options of that task.
        line_layers: The options of that task.
        points: The options of that task.
        gluestick: The options of that task.
        optimization: How weights change.
        loop: How long, and what is kept.
    """

    task: Literal["same_line", "line_layers", "points", "gluestick"] = "same_line"
    model: str = DEFAULT_MODEL
    weights: str = ""
    detector_weights: str = ""
    init: str = ""
    cache: str = ""
    output: str = "output/train"
    resume: bool = False
    data: DataConfig = field(default_factory=DataConfig)
    extraction: ExtractionConfig = field(default_factory=ExtractionConfig)
    same_line: SameLineTaskConfig = field(default_factory=SameLineTaskConfig)
    line_layers: LineLayersTaskConfig = field(default_factory=LineLayersTaskConfig)
    points: PointsTaskConfig = field(default_factory=PointsTaskConfig)
    gluestick: GlueStickTaskConfig = field(default_factory=GlueStickTaskConfig)
    optimization: OptimizationConfig = field(default_factory=OptimizationConfig)
    loop: LoopConfig = field(default_factory=LoopConfig)
