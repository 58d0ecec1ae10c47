"""What the benchmarks of accuracy are made of."""
