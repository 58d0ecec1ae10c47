"""A run as data: one flat YAML file, complete after loading, never mutated."""

from sceneparse.config.data import Ade20kData, CacheChoice, DataConfig, FolderData, SyntheticData
from sceneparse.config.model import EncoderUNetModel, ModelConfig, UNetModel
from sceneparse.config.optimization import (
    Adam,
    AdamW,
    Constant,
    CrossEntropyLoss,
    LossConfig,
    OneCycle,
    OptimizerConfig,
    Plateau,
    ScheduleConfig,
    Sgd,
)
from sceneparse.config.refinement import (
    DenseCrfRefinement,
    GuidedFilterRefinement,
    NoRefinement,
    RefinementConfig,
)
from sceneparse.config.run import (
    InferenceConfig,
    ReportConfig,
    RunConfig,
    TrainingConfig,
    TransformConfig,
)

__all__ = [
    "Adam",
    "AdamW",
    "Ade20kData",
    "CacheChoice",
    "Constant",
    "CrossEntropyLoss",
    "DataConfig",
    "DenseCrfRefinement",
    "EncoderUNetModel",
    "FolderData",
    "GuidedFilterRefinement",
    "InferenceConfig",
    "LossConfig",
    "ModelConfig",
    "NoRefinement",
    "OneCycle",
    "OptimizerConfig",
    "Plateau",
    "RefinementConfig",
    "ReportConfig",
    "RunConfig",
    "ScheduleConfig",
    "Sgd",
    "SyntheticData",
    "TrainingConfig",
    "TransformConfig",
    "UNetModel",
]
