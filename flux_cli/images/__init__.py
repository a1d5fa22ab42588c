"""Read and write image files: formats, sizes, metadata."""
