"""Save the images of a run: `SaveOptions`, and the store that the engine hands images to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from flux_cli import providers
from flux_cli.engine.ports import ImageStore
from flux_cli.errors import UsageError
from flux_cli.jobs import Image, Job, differs
from flux_cli.providers.fit import find_model

if TYPE_CHECKING:
    from flux_cli.runtime import Runtime
    from flux_cli.saving.saver import Destination


class SaveOptions(NamedTuple):
    """Where images are saved, and in which format if that was given."""

    destination: Destination
    format: str | None = None
    save_again: bool = False
    """Whether images that were saved before, and are still there, are saved again."""
    embed: bool = True
    """Whether images are given their metadata."""


def find_suffix_fields(pairs: Iterable[tuple[str | None, str | None]]) -> tuple[str, ...]:
    """Return which of ``model`` and ``provider`` differ between ``pairs``, each a provider and a model."""
    every = list(pairs)
    providers, models = ({one[place] for one in every} for place in (0, 1))
    return (*(("model",) if len(models) > 1 else ()), *(("provider",) if len(providers) > 1 else ()))


def open_store(
    runtime: Runtime, job: Job, options: SaveOptions, *, first: int, on_saved: Callable[[str], None]
) -> ImageStore:
    """Return the store for the images of ``job``, the first of them being number ``first`` of its run.

    ``on_saved`` is called with each path, relative to the current folder where it is below it.
    """
    from flux_cli.images.convert import convert  # noqa: PLC0415 - not for --no-wait
    from flux_cli.images.embed import embed  # noqa: PLC0415
    from flux_cli.images.inspect import inspect_download  # noqa: PLC0415
    from flux_cli.images.metadata import ImageMetadata  # noqa: PLC0415
    from flux_cli.saving.saver import Fields, Saver  # noqa: PLC0415

    model = None
    with suppress(UsageError):  # of an earlier config, or unknown
        model = find_model(providers.load(job.provider), job.model or "", runtime.settings.models)
    ours = model is None or "quality" not in model.options
    saver = Saver(
        options.destination,
        inspect=inspect_download,
        convert=convert,
        format=options.format or job.parameters.get("format"),
        quality=job.parameters.get("quality") if ours else None,
        note=runtime.output.note,
        detail=runtime.output.note if runtime.flags.verbose else lambda _line: None,
        reencode=ours,
        max_bytes=runtime.settings.max_image_bytes,
    )

    def save(chunks: Iterable[bytes], image: Image, index: int) -> Image:
        fields = Fields.of(job, image, first + index - 1)
        add_metadata = partial(embed, metadata=ImageMetadata.of(job, image)) if options.embed else None
        sent = options.destination.kind == "stdout"
        if sent:
            with runtime.streams.watch_reader():
                saved = saver.save_to(chunks, fields, runtime.streams.binary(), add_metadata)
        else:
            saved = saver.save(chunks, fields, add_metadata)
            on_saved(saved.shown)
        if differs(job.shape, saved.width, saved.height):
            runtime.output.note(f"asked for {job.shape}, got {saved.width}x{saved.height}: {saved.shown}")
        if sent:
            return image
        return replace(
            image,
            path=str(saved.path),
            width=saved.width,
            height=saved.height,
            content_type=saved.content_type,
            size=saved.size,
        )

    def is_saved(image: Image) -> bool:
        return not options.save_again and image.path is not None and Path(image.path).exists()

    return ImageStore(save=save, is_saved=is_saved)
