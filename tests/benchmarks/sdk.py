"""What the official Python SDK of Runware does over REST: ``run``, and a download of the link that it returns.

Run as ``python sdk.py BASE_URL FOLDER JOBS`` by a Python that has ``runware-sdk``, it makes all jobs side by side, and
prints the task and the path of each image as a line of JSON. The SDK brings aiohttp, and with it the download is made.
"""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from pathlib import Path

import aiohttp
from runware import Runware


async def made(client: Runware, session: aiohttp.ClientSession, folder: Path) -> dict[str, str]:
    """Make one image, and return its task and its path."""
    task = str(uuid.uuid4())
    wanted = {"positivePrompt": "a red fox", "model": "bfl:2@2", "width": 2752, "height": 1536}
    (item,) = await client.run({"taskType": "imageInference", "taskUUID": task, **wanted})
    path = folder / f"{task}.jpg"
    async with session.get(item["imageURL"]) as answer:
        path.write_bytes(await answer.read())
    return {"task": task, "path": str(path)}


async def main() -> None:
    """Make as many images as are asked for."""
    url, folder, jobs = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    async with (
        Runware(api_key="a-key-for-measuring", transport="rest", http_base_url=url) as client,
        aiohttp.ClientSession() as session,
    ):
        for one in await asyncio.gather(*(made(client, session, folder) for _ in range(jobs))):
            sys.stdout.write(json.dumps(one) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
