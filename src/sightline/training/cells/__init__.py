"""Training classifiers of places."""
