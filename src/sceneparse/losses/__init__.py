"""Losses: each ignores void pixels, computes in fp32 and returns sums over pixels."""
