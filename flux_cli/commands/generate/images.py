"""Find the input images that ``-i`` and ``--mask`` name: files, web addresses, earlier jobs, or standard input."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from flux_cli.errors import UsageError
from flux_cli.providers.image_input import list_images
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


def read_stdin(runtime: Runtime, prompt: str | None, batch: str | None, typed: Mapping[str, Any]) -> None:
    """Read the input image from stdin if one of the ``typed`` options names it. Raises `UsageError`."""
    uses = [STDIN in list_images(typed.get(name)) for name in ("image", "mask")]
    if not any(uses):
        return
    if all(uses) or STDIN in {prompt, batch}:
        raise UsageError(
            "stdin is one thing only: the prompt, the batch, the image or the mask", hint="give the others as files"
        )
    from flux_cli.images.inputs import read_bounded  # noqa: PLC0415 - only for an image

    content = b"" if runtime.stdin.isatty() else read_bounded(runtime.stdin.buffer, STDIN)
    if not content:
        raise UsageError("there is no image on stdin", hint="`flux generate PROMPT -i - < house.png`")
    runtime.input_images.add(STDIN, content)


def _resolve(runtime: Runtime, name: str) -> list[str]:
    if not name.strip():
        raise UsageError("the name of an input image is empty", hint="give a path, a web address, or a job such as @1")
    if name == STDIN and not runtime.input_images.has(STDIN):
        raise UsageError("an image is read from stdin only with -i on the command line", hint="name a file instead")
    if name.startswith("data:"):
        raise UsageError("an input image is not given as a data URI", hint="give a file, a web address or a job")
    if "://" in name or name == STDIN:
        return [name]
    path = expand_home(name)  # no shell does it in --image=~/x, nor in a batch file
    if os.path.lexists(path) or not (name.startswith("@") or _could_be_job(name)):
        return [os.path.abspath(path)]  # noqa: PTH100 - a Path raises where the name is too long
    return _find_images(runtime, name) or [os.path.abspath(path)]  # noqa: PTH100 - as above


def _could_be_job(name: str) -> bool:
    return not any(separator in name for separator in (os.sep, "/")) and "." not in name


def _find_images(runtime: Runtime, reference: str) -> list[str]:
    """Return the images of a job; none if no job is called so. Raises `UsageError` for a job without images."""
    shown = printable(reference)
    jobs = runtime.ledger.find(reference, sandbox=runtime.sandbox)
    if not jobs and reference.startswith("@"):
        raise UsageError(f"there is no run {shown}", hint="`flux status` lists the recent jobs")
    images = [image for job in jobs for image in job.images]
    found = [image.path if image.path and os.path.isfile(image.path) else image.url for image in images]  # noqa: PTH113
    if any(job.active for job in jobs):
        raise UsageError(f"{shown} is not finished yet", hint=f"`flux result --wait {shown}` waits for it")
    if jobs and not all(found):
        raise UsageError(f"an image of {shown} is not saved", hint=f"`flux result {shown}` saves it, if possible")
    if jobs and not found:
        raise UsageError(f"{shown} has no images", hint=f"`flux status {shown}` shows why")
    return [one for one in found if one]
