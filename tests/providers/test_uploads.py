"""Local files that are uploaded: each names the file as it was checked, so that a changed one is not sent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flux_cli import providers
from flux_cli.engine.engine import dry_run_requests
from flux_cli.jobs import Job, LocalFile
from flux_cli.providers.base import PlannedJob
from flux_cli.providers.image_input import ImageInput

FILE = LocalFile(path="/a.png", media_type="image/png", size=2**20, sha256="5a", width=512, height=512, modified=1)


def uploading() -> list:
    """Return every model that uploads its input images, as parameters of a test."""
    return [
        pytest.param(provider, model, id=f"{provider.name}-{model.slug}")
        for provider in providers.load_all()
        for main in provider.models.values()
        for model in (main, *main.variants)
        if (option := model.options.get("image")) is not None
        and isinstance(option, ImageInput)
        and option.travels == "upload"
    ]


@pytest.mark.parametrize(("provider", "model"), uploading())
def test_an_upload_carries_the_file_that_was_checked(provider, model):
    option = model.image_input
    file = replace(FILE, size=max(FILE.size, option.inline_up_to + 1))
    job = Job(
        id="k3f9q2mx",
        run="r",
        provider=provider.name,
        model=model.name,
        prompt="a fox",
        created_at=0.0,
        seed=7 if model.takes_seed else None,
        parameters={**model.always_sent, "image": "/a.png"},
        idempotency_key="17a2b204-94c7-4ae5-8c2d-369f6ed0eab6",
    )

    requests = dry_run_requests(provider, PlannedJob(job=job, model=model, files={"/a.png": file}))

    uploads = [request.upload for request in requests if request.upload is not None]
    assert uploads
    assert all(upload.file == file for upload in uploads)
