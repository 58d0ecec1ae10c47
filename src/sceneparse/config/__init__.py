"""A run as data: one YAML file, complete after loading, never changed."""

from sceneparse.config.run_config import ReportSettings, RunConfig, TrainingSettings

__all__ = ["ReportSettings", "RunConfig", "TrainingSettings"]
