"""What `flux status --offline` does, as a straight script: the yardstick of its start-up.

The same libraries and the same calls, without structure and without care: options, settings, 20 rows of the ledger.
"""

import json
import sqlite3
import time
from pathlib import Path
from typing import Annotated, Any

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


def status(
    offline: Annotated[bool, typer.Option("--offline", help="Ask no provider; show the last known state.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many jobs, at most.")] = 20,
) -> None:
    """Show how jobs are doing."""
    settings = Settings()
    ledger = platformdirs.user_state_path("flux-cli", appauthor=False) / "ledger.sqlite3"
    database = sqlite3.connect(ledger, timeout=30, isolation_level=None)
    query = "SELECT document FROM jobs WHERE sandbox = ? ORDER BY seq DESC LIMIT ?"
    for (document,) in database.execute(query, (settings.sandbox, limit)).fetchall():
        job = json.loads(document)
        age = f"{time.time() - job['created_at']:.0f} s"
        print(job["id"], job["status"], job["provider"], job["model"], age, job["prompt"], sep="\t")  # noqa: T201 - a script
    database.close()


app = typer.Typer(pretty_exceptions_enable=False)
app.command()(status)
get_command(app)()
