"""The config command."""
