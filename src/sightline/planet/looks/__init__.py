"""Season, weather, light, colours, and the ground: what both renderers share."""
