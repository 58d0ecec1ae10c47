"""Scenes drawn on the fly with exact masks, to train and to show a parser without any data."""

from sceneparse.scenes.scene import draw_scene

__all__ = ["draw_scene"]
