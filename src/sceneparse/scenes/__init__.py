"""Generated scenes with exact masks, for training and demonstration without a data set."""

from sceneparse.scenes.scene import draw_scene

__all__ = ["draw_scene"]
