"""What `flux result` does with links, as a straight script: downloads with httpx, forced to the disk, four at once.

Without inspection, metadata, ledger and care: ``bare_download.py FOLDER LINK...``.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

FOLDER = Path(sys.argv[1])
CLIENT = httpx.Client(trust_env=False)


def fetch(link: str) -> None:
    """Save what is behind one link."""
    path = FOLDER / link.rpartition("/")[2]
    with CLIENT.stream("GET", link) as answer, path.with_suffix(".part").open("xb") as file:
        file.writelines(answer.raise_for_status().iter_raw())
        file.flush()
        os.fsync(file.fileno())
    path.with_suffix(".part").rename(path)


with ThreadPoolExecutor(4) as pool:
    list(pool.map(fetch, sys.argv[2:]))
