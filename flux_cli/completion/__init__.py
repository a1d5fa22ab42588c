"""Answer shell completion."""
