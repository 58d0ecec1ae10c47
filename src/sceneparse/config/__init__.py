"""A run as data: one flat YAML file, complete after loading, never mutated."""

from sceneparse.config.data import Ade20kData, CacheChoice, DataConfig, FolderData, SyntheticData
from sceneparse.config.model import EncoderUNetModel, ModelConfig, UNetModel
from sceneparse.config.optimization import (
    Adam,
    AdamW,
    Constant,
    Cosine,
    CrossEntropyLoss,
    LossConfig,
    OneCycle,
    OptimizerConfig,
    Plateau,
    Poly,
    ScheduleConfig,
    Sgd,
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
    "Cosine",
    "CrossEntropyLoss",
    "DataConfig",
    "EncoderUNetModel",
    "FolderData",
    "InferenceConfig",
    "LossConfig",
    "ModelConfig",
    "OneCycle",
    "OptimizerConfig",
    "Plateau",
    "Poly",
    "ReportConfig",
    "RunConfig",
    "ScheduleConfig",
    "Sgd",
    "SyntheticData",
    "TrainingConfig",
    "TransformConfig",
    "UNetModel",
]
