"""The parts of the accuracy benchmarks."""
