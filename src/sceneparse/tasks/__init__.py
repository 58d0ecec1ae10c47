"""Whole jobs, composed of the parts below: train a run, and the demo."""
