"""Training: the loop, its setup and state, processes, and the automatic settings of a run."""
