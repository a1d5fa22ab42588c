"""Read the settings from the environment and the config file, and say which of them each value came from.

The environment wins over the file, the file over the default, and a key's value comes whole from one source: a table in
the environment replaces the file's. No message here repeats a value, because any of them may hold a secret.
"""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from pydantic import SecretStr
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from flux_cli import providers
from flux_cli.config.paths import config_path, variable_name
from flux_cli.config.schema import KEYS, Tree, check_header_value, is_secret
from flux_cli.config.validate import check, flatten, nest, parse, parse_text, read, split_key
from flux_cli.errors import AuthError, ConfigError, UsageError
from flux_cli.image_options import replaced_by
from flux_cli.saving.home import expand_home
from flux_cli.text import listed, nearest, printable

if TYPE_CHECKING:
    from flux_cli.providers.base import OwnModel, Provider

_FILE = "config file"
COMMAND_SECONDS = 30.0
"""How long an ``api_key_command`` may take."""


class _Environment(InitSettingsSource):
    """The environment variables of known keys. Other names that begin with ``FLUX_`` belong to other programs."""

    def __init__(self) -> None:
        plugged = any(name.startswith("FLUX_PROVIDERS__") for name in os.environ)
        known = KEYS if plugged else KEYS.own  # plug-ins are looked for only where one may be meant
        variables = {names: variable_name(names) for names in known}
        self.origins = {names: name for names, name in variables.items() if os.environ.get(name, "").strip()}
        values = {names: parse_text(names, os.environ[name], name) for names, name in self.origins.items()}
        super().__init__(_Values, nest(values))


class _File(InitSettingsSource):
    """The config file's checked document, without the keys that a stronger source states."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        super().__init__(_Values, dict(document))
        self.origins = dict.fromkeys((names for names, _ in flatten(document)), _FILE)

    def __call__(self) -> dict[str, Any]:
        stronger = dict(flatten(self.current_state))
        return nest({names: value for names, value in flatten(self.init_kwargs) if names not in stronger})


class _Values(Tree, BaseSettings):
    """The values of all ``sources``, the first source that states a key wins."""

    model_config = SettingsConfigDict(env_prefix="FLUX_", env_nested_delimiter="__")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the sources know theirs
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - `_Environment` reads fewer names
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - a .env file belongs to another program
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - not offered
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources that the caller gave, the strongest first."""
        given: tuple[PydanticBaseSettingsSource, ...] = cast("InitSettingsSource", init_settings).init_kwargs["sources"]
        return given


def _join_paths(table: Mapping[str, Any], parent: str = "") -> dict[str, Any]:
    """Return parameters by dotted path, whether they were written with quotes or as tables in tables."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        found.update(
            _join_paths(value, f"{parent}{name}.") if isinstance(value, dict) and value else {parent + name: value}
        )
    return found


class Key(NamedTuple):
    """A provider's key, and its source for people."""

    value: SecretStr
    source: str


def _expand_paths(name: str, value: Any) -> Any:
    """Return the value of an option, with ``~`` expanded in paths."""
    if name not in {"output", "image", "mask"}:
        return value
    return expand_home(value) if isinstance(value, str) else [expand_home(one) for one in value]


def _own_model(name: str, table: Mapping[str, Any]) -> OwnModel:
    from flux_cli.providers.base import OwnModel  # noqa: PLC0415 - only where there are some

    ids = {provider: id_ for provider, id_ in table.items() if id_ and provider not in {"base", "price"}}
    return OwnModel(name=name, base=table["base"], ids=ids, price=table.get("price"))


class Settings:
    """The settings in force, each with its source."""

    def __init__(self, file: Path, document: Mapping[str, Any] | None, warnings: tuple[str, ...] = ()) -> None:
        self.file = file
        self.exists = document is not None
        self.warnings = warnings
        """Warnings about a file that works but should be changed."""
        sources = (_Environment(), _File(document or {}))
        self._origins = {names: origin for source in reversed(sources) for names, origin in source.origins.items()}
        given: dict[str, Any] = {"sources": sources}
        values = _Values(**given)
        self._held = {names: value for names, value in flatten(values.model_dump(exclude_none=True)) if value != {}}
        for names, params in self._held.items():
            if names[-1] == "param" and names[0] in {"generate", "presets"}:
                self._held[names] = _join_paths(params)
        self._lock = Lock()
        self._answers: dict[str, SecretStr] = {}
        self.default_provider = values.default_provider
        self.output = values.output and expand_home(values.output)
        self.sandbox = values.sandbox
        self.sandbox_seconds = values.sandbox_seconds
        self.max_image_bytes = values.max_image_bytes
        self.generate: dict[str, Any] = {
            names[1]: _expand_paths(names[1], value) for names, value in self._held.items() if names[0] == "generate"
        }
        """Options of generate by long name; only those that the file or the environment sets."""
        self.presets: dict[str, dict[str, Any]] = {name: {} for name in (document or {}).get("presets", {})}
        """Options of generate, and the provider, by preset and by long name."""
        for names, value in self._held.items():
            if names[0] == "presets":
                self.presets[names[1]][names[2]] = _expand_paths(names[2], value)
        self.models = {name: _own_model(name, table) for name, table in self._held.get(("models",), {}).items()}
        """The user's own models by name."""
        self.budget: dict[str, float] = {names[1]: value for names, value in self._held.items() if names[0] == "budget"}
        """USD by ``daily`` and ``monthly``; only those that are set."""

    @classmethod
    def load(cls, option: str | None, *, must_exist: bool = True, sandbox: bool = False) -> Settings:
        """Return the settings of the file that ``--config`` (``option``) names, else of the default file.

        A named file must exist, unless ``must_exist`` is false. Without a home folder, the ``sandbox`` does without a
        file. Raises `ConfigError`.
        """
        try:
            file = config_path(option)
        except ConfigError:
            alone = cls(Path("config.toml"), None)
            if not (sandbox or alone.sandbox):
                raise
            return alone
        text = read(file)
        if text is None:
            if must_exist and (option is not None or os.environ.get("FLUX_CONFIG")):
                raise ConfigError(
                    f"config file {printable(str(file))} does not exist", hint="`flux config init` creates one"
                )
            return cls(file, None)
        document = parse(text, file)
        check(document, file)
        holds_key = any(is_secret(names) and value for names, value in flatten(document))
        return cls(file, document, _is_exposed(file) if holds_key else ())

    def preset(self, name: str | None) -> dict[str, Any]:
        """Return the options of a preset, none without a name. Raises `UsageError` if there is no such preset."""
        if name is None or name in self.presets:
            return self.presets.get(name or "", {})
        near = nearest(name, self.presets)
        known = (
            f"the presets are {listed(self.presets)}" if self.presets else "`flux help config` shows how to make one"
        )
        raise UsageError(f"there is no preset {name!r} in the config", hint=f"did you mean {near}?" if near else known)

    def options(self, preset: str | None) -> dict[str, Any]:
        """Return options of generate by long name, those of the ``preset`` in place of those for every run.

        Raises `UsageError` if there is no such preset.
        """
        own = self.preset(preset)
        replaced = replaced_by(own.keys()) - {"param"}
        kept = {name: value for name, value in self.generate.items() if name not in replaced}
        param = {**self.generate.get("param", {}), **own.get("param", {})}
        return {**kept, **own, **({"param": param} if param else {})}

    def base_url(self, provider: str) -> str | None:
        """Return the provider's configured base URL, without a trailing slash: https, or http on loopback."""
        found: str | None = self._held.get(("providers", provider, "base_url"))
        return found

    def price(self, provider: str, model: str) -> float | None:
        """Return the user's own price of an image, by the model's full name."""
        table = self._held.get(("providers", provider, "price"), {})
        names = [model, *(name for name in table if providers.canonical_name(name) == model)]
        found: float | None = next((table[name] for name in names if name in table), None)
        return found

    def key(self, provider: Provider) -> Key | None:
        """Return the provider's key. Raises `ConfigError` or `AuthError` if its command fails."""
        found = self._find(provider)
        if found is None:
            return None
        source, value = found
        where = source if isinstance(value, SecretStr) else f"{source} of {provider.name}"
        if not isinstance(value, SecretStr):
            with self._lock:  # a command may ask for a passphrase, so it runs once
                if provider.name not in self._answers:
                    self._answers[provider.name] = run_key_command(value, where)
                value = self._answers[provider.name]
        try:
            return Key(check_header_value(value), source)
        except ValueError as error:
            raise ConfigError(f"the key from {where} cannot be used", hint=str(error)) from None

    def key_source(self, provider: Provider) -> str | None:
        """Return where the key would come from, without running any command."""
        found = self._find(provider)
        return found[0] if found else None

    def _find(self, provider: Provider) -> tuple[str, SecretStr | str] | None:
        """Return the source, with the key or the command that prints it."""
        for name in provider.key_variables:
            if text := os.environ.get(name, "").strip():
                return name, SecretStr(text)
        keys = (("providers", provider.name, "api_key"), ("providers", provider.name, "api_key_command"))
        for names in sorted(keys, key=lambda names: self._origins.get(names) == _FILE):
            if value := self._held.get(names):
                return names[-1] if names[-1] == "api_key_command" else self._origins[names], value
        return None

    def source(self, key: str) -> str:
        """Return where the value of a dotted key comes from. Raises `UsageError` for an unknown key."""
        names = split_key(key)
        leaf = names if names in KEYS else names[:-1]
        if is_secret(leaf):
            for name in providers.load(leaf[1]).key_variables:
                if os.environ.get(name, "").strip():
                    return f"environment {name}"
        origin = self._origins.get(leaf)
        if origin is None or self.get(key) is None:
            return "default"
        return origin if origin == _FILE else f"environment {origin}"

    def get(self, key: str) -> Any:
        """Return the value of a dotted key, ``None`` where there is none; of a secret, ``set`` or ``missing``.

        Raises `UsageError` with the nearest key.
        """
        names = split_key(key)
        if is_secret(names):
            elsewhere = any(os.environ.get(name, "").strip() for name in providers.load(names[1]).key_variables)
            return "set" if elsewhere or self._held.get(names) else "missing"
        return self._held.get(names) if names in KEYS else self._held.get(names[:-1], {}).get(names[-1])

    def rows(self) -> list[tuple[str, str, str]]:
        """Return every key that has a value: the dotted key, the value for people, and its source."""
        found: list[tuple[str, str, str]] = []
        presets = [names for names in self._held if names[0] == "presets"]
        for names in (*KEYS, *presets):
            key = ".".join(names)
            value = self.get(key)
            if value is not None and not (is_secret(names) and value == "missing"):
                shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                found.append((key, printable(shown), self.source(key)))
        return found


def _is_exposed(file: Path) -> tuple[str, ...]:
    """Return a warning if others can read a file that holds a key."""
    status = file.stat()
    if os.name != "posix" or not stat.S_ISREG(status.st_mode) or not status.st_mode & 0o044:
        return ()
    name = printable(str(file))
    return (f"config file {name} is readable by others; chmod 600 {shlex.quote(name)}",)


def run_key_command(command: str, where: str, *, seconds: float = COMMAND_SECONDS) -> SecretStr:
    """Return the first line that a command prints. Raises `ConfigError` or `AuthError`; neither quotes the output."""
    arguments = shlex.split(command)
    label = f"{where}: {printable(Path(arguments[0]).name)}"
    try:
        process = subprocess.Popen(  # noqa: S603 - the user's own command, and no shell
            arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except (OSError, ValueError):
        raise ConfigError(f"{label} cannot be started", hint="is it installed, and on the PATH?") from None
    with process:
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise AuthError(f"{label} took longer than {seconds:g} s") from None
        finally:
            process.kill()  # also when a signal ends the wait; harmless after the end
    if process.returncode:
        raise AuthError(f"{label} failed with exit code {process.returncode}")
    line = output.decode(errors="replace").strip().split("\n", 1)[0]
    if not line:
        raise AuthError(f"{label} printed nothing")
    return SecretStr(line)
