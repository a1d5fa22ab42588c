"""Find the input images that ``-i`` and ``--mask`` name: files, web addresses, earlier jobs, or standard input."""

from __future__ import annotations

import os
from typing import Any

from flux_cli.errors import UsageError
from flux_cli.providers.options import list_images
from flux_cli.runtime import Runtime
from flux_cli.saving.home import expand_home
from flux_cli.text import printable

STDIN = "-"


def resolve_images(runtime: Runtime, value: Any) -> Any:
    """Return images as they are recorded: absolute paths and web addresses; one as text, several as a list.

    A job stands for its images: the saved files, else their links. Raises `UsageError`.
    """
    found = [one for name in list_images(value) for one in _resolve(runtime, name)]
    return found[0] if len(found) == 1 else found


def check_stdin(prompt: str | None, batch: str | None, images: Any) -> None:
    """Refuse to read stdin twice. Raises `UsageError`."""
    if STDIN in list_images(images) and STDIN in {prompt, batch}:
        raise UsageError("stdin is either the prompt, the batch or the image", hint="give the image as a file")


def _resolve(runtime: Runtime, name: str) -> list[str]:
    if name == STDIN and not runtime.input_images.has(STDIN):
        runtime.input_images.add(STDIN, _read_stdin(runtime))
    if "://" in name or name == STDIN:
        return [name]
    path = expand_home(name)  # no shell does it in --image=~/x, nor in a batch file
    if os.path.lexists(path) or not (name.startswith("@") or _could_be_job(name)):
        return [os.path.abspath(path)]  # noqa: PTH100 - a Path raises where the name is too long
    return _find_images(runtime, name) or [os.path.abspath(path)]  # noqa: PTH100 - as above


def _read_stdin(runtime: Runtime) -> bytes:
    content: bytes = runtime.stdin.buffer.read()
    if not content:
        raise UsageError("there is no image on stdin", hint="`flux generate PROMPT -i - < house.png`")
    return content


def _could_be_job(name: str) -> bool:
    return not any(separator in name for separator in (os.sep, "/")) and "." not in name


def _find_images(runtime: Runtime, reference: str) -> list[str]:
    """Return the images of a job; none if no job is called so. Raises `UsageError` for a job without images."""
    jobs = runtime.ledger.find(reference, sandbox=runtime.sandbox)
    if not jobs and reference.startswith("@"):
        raise UsageError(f"there is no run {printable(reference)}", hint="`flux status` lists the recent jobs")
    images = [image for job in jobs for image in job.images]
    found = [image.path if image.path and os.path.isfile(image.path) else image.url for image in images]  # noqa: PTH113
    if (jobs and not all(found)) or (jobs and not found):
        raise UsageError(
            f"{printable(reference)} has no image to start from",
            hint=f"`flux result --wait {printable(reference)}` fetches it",
        )
    return [one for one in found if one]
