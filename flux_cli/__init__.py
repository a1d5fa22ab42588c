"""Hosted FLUX 1.1 [pro] image generation from the terminal."""

__version__ = "0.1.0"
