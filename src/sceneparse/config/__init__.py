"""A run as data: one flat YAML file, complete after loading, never mutated."""

from sceneparse.config.data import Ade20kData, DataConfig, FolderData, SyntheticData
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
from sceneparse.config.published import (
    Ade20kFullData,
    CacheChoice,
    CamVidData,
    CityscapesData,
    CocoStuffData,
    PascalContextData,
    PublishedDataConfig,
    Voc2012Data,
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
    "Ade20kFullData",
    "CacheChoice",
    "CamVidData",
    "CityscapesData",
    "CocoStuffData",
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
    "PascalContextData",
    "Plateau",
    "PublishedDataConfig",
    "ReportConfig",
    "RunConfig",
    "ScheduleConfig",
    "Sgd",
    "SyntheticData",
    "TrainingConfig",
    "TransformConfig",
    "UNetModel",
    "Voc2012Data",
]
