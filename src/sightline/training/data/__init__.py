"""Images as pixels: decoded once or each time, in batches."""
