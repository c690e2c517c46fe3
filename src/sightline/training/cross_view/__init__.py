"""Training on pairs of photos and aerial patches."""
