"""Losses: each ignores void, computes in fp32 and returns its mean times the valid pixels."""
