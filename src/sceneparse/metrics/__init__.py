"""Segmentation scores, bootstrap confidence intervals, and the comparison of two models."""
