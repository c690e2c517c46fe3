"""The version, where every room can read it without importing the whole house."""

__version__ = "0.1.0"
