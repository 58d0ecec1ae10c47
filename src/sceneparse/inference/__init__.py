"""The one way from pixels to mask: resize, run a backend, bring the answer to a size."""
