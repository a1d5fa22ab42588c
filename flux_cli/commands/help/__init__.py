"""``flux help``."""
