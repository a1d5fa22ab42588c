"""What `flux generate --no-wait` does, as a straight script: the yardstick of its start-up.

The same libraries and the same calls, without structure and without care: options, settings, a row that is on the disk
before the one POST leaves, the row once more, the id.
"""

import json
import os
import secrets
import sqlite3
import time
import uuid
from pathlib import Path
from typing import Annotated, Any

import httpx
import platformdirs
import typer
from pydantic import BaseModel, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict, TomlConfigSettingsSource
from typer.main import get_command

PLACE = platformdirs.user_config_path("flux-cli", appauthor=False)


class Provider(BaseModel):
    """What is set of one provider."""

    api_key: SecretStr | None = None
    base_url: str | None = None


class Settings(BaseSettings):
    """The file, under the environment."""

    model_config = SettingsConfigDict(env_prefix="FLUX_", env_nested_delimiter="__", toml_file=PLACE / "config.toml")

    default_provider: str | None = None
    output: Path | None = None
    sandbox: bool = False
    generate: dict[str, Any] = {}
    providers: dict[str, Provider] = {}

    @classmethod
    def settings_customise_sources(cls, settings_cls, init_settings, env_settings, **_):
        return env_settings, TomlConfigSettingsSource(settings_cls)


def generate(
    prompt: Annotated[str, typer.Argument(help="The text.")],
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Submit, print the id, exit.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no notes.")] = False,
) -> None:
    """Make an image."""
    settings = Settings()
    task = {
        "taskType": "imageInference",
        "taskUUID": str(uuid.uuid4()),
        "model": "bfl:2@2",
        "positivePrompt": prompt,
        "width": 2752,
        "height": 1536,
        "seed": secrets.randbelow(2**31),
        "deliveryMethod": "async",
        "includeCost": True,
    }
    job = {"id": secrets.token_hex(4), "status": "submitting", "created_at": time.time(), "request": task}
    ledger = platformdirs.user_state_path("flux-cli", appauthor=False) / "bare.sqlite3"
    database = sqlite3.connect(ledger, timeout=30, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE IF NOT EXISTS jobs (id TEXT PRIMARY KEY, document TEXT)")
    database.execute("INSERT INTO jobs VALUES (?, ?)", (job["id"], json.dumps(job)))
    headers = {"Authorization": f"Bearer {os.environ['RUNWARE_API_KEY']}"}
    with httpx.Client(headers=headers, timeout=30) as client:
        client.post(settings.providers["runware"].base_url, json=[task]).raise_for_status()
    job["status"] = "queued"
    database.execute("UPDATE jobs SET document = ? WHERE id = ?", (json.dumps(job), job["id"]))
    database.close()
    print(job["id"])  # noqa: T201 - a script


app = typer.Typer(pretty_exceptions_enable=False)
app.command()(generate)
get_command(app)()
