"""What the vendors' examples do: submit, then sleep two seconds and ask, until there is an image.

Run as ``python loop.py BASE_URL FOLDER JOBS``, it makes all jobs side by side, one thread each, and prints the task and
the path of each image as a line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx


def made(client: httpx.Client, url: str, folder: Path) -> dict[str, str]:
    """Make one image, and return its task and its path."""
    task = str(uuid.uuid4())
    wanted = {"positivePrompt": "a red fox", "model": "bfl:2@2", "width": 2752, "height": 1536}
    submit = {"taskType": "imageInference", "taskUUID": task, "deliveryMethod": "async", **wanted}
    client.post(url, json=[submit]).raise_for_status()
    while True:
        time.sleep(2)
        (item,) = client.post(url, json=[{"taskType": "getResponse", "taskUUID": task}]).json()["data"]
        if item["status"] == "success":
            break
    path = folder / f"{task}.jpg"
    path.write_bytes(client.get(item["imageURL"]).raise_for_status().content)
    return {"task": task, "path": str(path)}


def main() -> None:
    """Make as many images as are asked for."""
    url, folder, jobs = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    limits = httpx.Limits(max_connections=None)
    with httpx.Client(limits=limits, timeout=30) as client, ThreadPoolExecutor(jobs) as pool:
        for one in pool.map(lambda _: made(client, url, folder), range(jobs)):
            sys.stdout.write(json.dumps(one) + "\n")


if __name__ == "__main__":
    main()
