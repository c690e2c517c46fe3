"""Where was this photo taken? Geolocation against references with known places, measured honestly."""

__version__ = "0.1.0"
