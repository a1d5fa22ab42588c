"""Read, validate and edit the configuration."""
