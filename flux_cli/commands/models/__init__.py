"""``flux models``."""
