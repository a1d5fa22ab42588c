"""The providers command."""
