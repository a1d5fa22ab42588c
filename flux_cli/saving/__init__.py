"""Decide where images go and what they are called, and write them."""
