"""Optimizers, parameter groups, learning rate schedules, and the EMA of the weights."""
