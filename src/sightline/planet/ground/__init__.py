"""Photos: what a camera sees from a place."""
