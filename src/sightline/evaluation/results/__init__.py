"""The whole document of one evaluation, or of two systems side by side."""
