"""Build the command that makes an image again, to be pasted into a shell.

Anyone may see the gallery, so the command contains what the image's metadata contains and nothing else: no webhook,
labels, local paths, or addresses that may carry a token.
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
    """Return the command on one line, and the names of options that shaped the image but must be omitted.

    If only the seed of a job with several images is known, the command makes all of them.
    """
    metadata = ImageMetadata.of(job, image)
    seed, count = (metadata.seed, 1) if metadata.seed is not None else (job.seed, job.count)
    words = ["flux", "generate", "-p", metadata.provider]
    words += ["--sandbox"] if metadata.sandbox else []
    words += ["-m", metadata.model] if metadata.model else []
    words += ["-s", str(seed)] if seed is not None else []
    words += ["-n", str(count)] if count > 1 else []
    words += _options(metadata.parameters)
    if metadata.prompt == "-":  # "-" alone means stdin
        return f"printf %s - | {_line([*words, '-'])}", metadata.omitted
    words += ["--"] if metadata.prompt.startswith("-") else []
    return _line([*words, metadata.prompt]), metadata.omitted


def _line(words: list[str]) -> str:
    return " ".join(shell_word(word) for word in words)


def _options(parameters: Mapping[str, Any]) -> Iterator[str]:
    """Yield the options of a command, word by word."""
    for name, value in parameters.items():
        if name == "param":
            for path, field in value.items():
                yield from ("-P", f"{path}={json.dumps(field)}")
            continue
        option = IMAGE_OPTIONS[name]
        if value is True:
            yield option.flag
        elif value is not False:
            for one in value if isinstance(value, list) else [value]:
                yield from (option.flag, str(one))
        elif option.off_flag:
            yield option.off_flag
