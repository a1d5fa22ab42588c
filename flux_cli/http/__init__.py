"""Send requests over HTTP; the only package that imports httpx."""
