"""Scores from counts of pixels, their intervals, and comparisons of two models."""
