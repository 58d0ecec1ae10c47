"""Networks that run: one file per runtime, each a `Network` that computes logits only."""
