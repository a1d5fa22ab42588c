"""The command that makes an image once more, to be pasted into a shell.

It is for whoever sees it, so it says what the image's own story says and no more: no webhook, no labels, no local path,
no address that might carry a token.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from flux_cli.image_options import IMAGE_OPTIONS
from flux_cli.images.metadata import ImageMetadata
from flux_cli.jobs import Image, Job
from flux_cli.text import shell_word


def command_line(job: Job, image: Image) -> tuple[str, tuple[str, ...]]:
    """Return the command, on one line, and the names of what shaped the image too and cannot be told.

    Where only the seed of a job of several images is known, the command makes all of them.
    """
    story = ImageMetadata.of(job, image)
    seed, count = (story.seed, 1) if story.seed is not None else (job.seed, job.count)
    words = ["flux", "generate", "-p", story.provider]
    words += ["--sandbox"] if story.sandbox else []
    words += ["-m", story.model] if story.model else []
    words += ["-s", str(seed)] if seed is not None else []
    words += ["-n", str(count)] if count > 1 else []
    words += _options(story.parameters)
    if story.prompt == "-":  # which alone means stdin
        return f"printf %s - | {_line([*words, '-'])}", story.omitted
    words += ["--"] if story.prompt.startswith("-") else []
    return _line([*words, story.prompt]), story.omitted


def _line(words: list[str]) -> str:
    return " ".join(shell_word(word) for word in words)


def _options(parameters: Mapping[str, Any]) -> Iterator[str]:
    """Yield the options of a command, word by word."""
    for name, value in parameters.items():
        if name == "param":
            for path, inner in value.items():
                yield from ("-P", f"{path}={json.dumps(inner)}")
            continue
        option = IMAGE_OPTIONS[name]
        if value is True:
            yield option.flag
        elif value is not False:
            yield from (option.flag, str(value))
        elif option.off_flag:
            yield option.off_flag
