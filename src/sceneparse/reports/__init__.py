"""Images that people look at: panels of predictions, curves, and the animation of a run."""
