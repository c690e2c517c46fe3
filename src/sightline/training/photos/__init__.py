"""Single photos with places: what classifiers and retrieval share."""
