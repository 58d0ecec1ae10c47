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
from sceneparse.config.run import (
    InferenceConfig,
    ReportConfig,
    RunConfig,
    TrainingConfig,
    TransformConfig,
)
from sceneparse.config.sampling import ClassBalancedSampling, SamplingConfig, UniformSampling

__all__ = [
    "Adam",
    "AdamW",
    "Ade20kData",
    "CacheChoice",
    "ClassBalancedSampling",
    "Constant",
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
    "ReportConfig",
    "RunConfig",
    "SamplingConfig",
    "ScheduleConfig",
    "Sgd",
    "SyntheticData",
    "TrainingConfig",
    "TransformConfig",
    "UNetModel",
    "UniformSampling",
]
