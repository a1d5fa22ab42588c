"""Show images in the terminal."""
