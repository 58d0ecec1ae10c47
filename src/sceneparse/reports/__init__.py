"""Images that people look at: panels of predictions, curves, and the film of a run."""
