"""Write the command that makes an image again, to paste into a shell.

Anyone can see a gallery, so the command holds what the image's metadata holds: no webhook, no labels, no local path, no
address that might carry a token.
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
    """Return the command, on one line, and the names of the options that it leaves out.

    If only the seed of a job of several images is known, the command makes all of them.
    """
    metadata = ImageMetadata.of(job, image)
    seed, count = (metadata.seed, 1) if metadata.seed is not None else (job.seed, job.count)
    words = ["flux", "generate", "-p", metadata.provider]
    words += ["--sandbox"] if metadata.sandbox else []
    words += ["-m", metadata.model] if metadata.model else []
    words += ["-s", str(seed)] if seed is not None else []
    words += ["-n", str(count)] if count > 1 else []
    words += _option_words(metadata.parameters)
    if metadata.prompt == "-":  # which alone means stdin
        return f"printf %s - | {_join_words([*words, '-'])}", metadata.omitted
    words += ["--"] if metadata.prompt.startswith("-") else []
    return _join_words([*words, metadata.prompt]), metadata.omitted


def _join_words(words: list[str]) -> str:
    return " ".join(shell_word(word) for word in words)


def _option_words(parameters: Mapping[str, Any]) -> Iterator[str]:
    """Yield the options of the command, word by word."""
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
