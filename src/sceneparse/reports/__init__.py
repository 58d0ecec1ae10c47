"""Drawings of a run: panels of predictions, learning curves, and the training animation."""
