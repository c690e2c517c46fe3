"""Training vectors for retrieval over geotagged photos."""
