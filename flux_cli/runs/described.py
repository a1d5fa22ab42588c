"""Find the job that made an image from the metadata in its file, whatever the file is called."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from flux_cli.errors import UsageError
from flux_cli.images import embed as embedding
from flux_cli.images import inspect as images
from flux_cli.images.metadata import ImageMetadata
from flux_cli.images.segments import InvalidImage
from flux_cli.jobs import Image, Job
from flux_cli.runtime import Runtime
from flux_cli.text import printable


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedImage:
    """An image file with flux metadata."""

    metadata: ImageMetadata
    image: Image

    def find_job(self, runtime: Runtime) -> Job | None:
        """Return the ledger's own record of the job, if there is one."""
        metadata = self.metadata
        with suppress(UsageError):  # an id of several jobs is not one of ours
            for job in runtime.ledger.find(metadata.job_id, sandbox=metadata.sandbox, provider=metadata.provider):
                if (job.id, job.sandbox) == (metadata.job_id, metadata.sandbox):
                    return job
        return None


def describe_image(reference: str) -> DescribedImage | None:
    """Return the image at the path ``reference`` with its metadata, or ``None`` where there is no file.

    Raises `UsageError` for a file that has no metadata, or cannot be read.
    """
    if not os.path.isfile(reference):  # noqa: PTH113 - a Path raises where the name is too long
        return None
    path = Path(reference)
    hint = "`flux status` lists the jobs that were started here"
    try:
        metadata = embedding.read(path)
        if metadata is None:
            raise UsageError(f"{printable(reference)} has no flux metadata", hint=hint)
        image = Image(path=str(path.absolute()), seed=metadata.seed)
        with suppress(InvalidImage):  # a damaged image can still have its metadata
            facts = images.inspect(path)
            image = Image(
                path=image.path,
                seed=image.seed,
                width=facts.width,
                height=facts.height,
                content_type=facts.content_type,
                size=facts.size,
            )
    except OSError as error:
        raise UsageError(f"cannot read {printable(reference)}: {error.strerror}", hint=hint) from error
    return DescribedImage(metadata=metadata, image=image)
