"""Build the HTML page of a run."""
