"""What the user has configured: the config file and the environment, checked, with where each value came from.

The environment wins over the file, the file over the default, and a key's value comes whole from one place: a table in
the environment replaces the file's. No message here repeats a value, because any of them may hold a secret.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import shlex
import stat
import subprocess
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from flux_cli import providers
from flux_cli.errors import AuthError, ConfigError, UsageError
from flux_cli.text import listed, nearest, printable

if TYPE_CHECKING:
    from flux_cli.providers.base import Provider

Names = tuple[str, ...]
"""The parts of a dotted key. The name inside a table of the user's own may hold dots itself."""

LARGEST = 2**20
"""Bytes of config file that are read."""

COMMAND_SECONDS = 30.0
"""How long an ``api_key_command`` may take."""


def _provider(text: str) -> str:
    return _known(providers.load, text)


def _model(text: str) -> str:
    return _known(providers.model_name, text)


def _known(find: Callable[[str], object], text: str) -> str:
    try:
        find(text)
    except UsageError as error:
        raise ValueError(error.hint) from None
    return text


def _address(text: str) -> str:
    """Return a base URL without its trailing slash. Raises `ValueError`: a key would go wherever this points."""
    if re.search(r"[^!-~]|[\\@?#]", text):
        raise ValueError("user names, queries, fragments, blanks and letters beyond ASCII have no place in it")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("the host or the port makes no sense") from None
    if port == 0 or not re.fullmatch(r"[a-z0-9._-]+|[0-9a-f:.]*:[0-9a-f:.]*", host):
        raise ValueError("the host or the port makes no sense")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise ValueError("http is allowed for 127.0.0.1, ::1 and localhost only: the key would travel in the open")
    return text.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _command(text: str) -> str:
    if not shlex.split(text):
        raise ValueError("it is empty")
    return text


def _secret(value: SecretStr) -> SecretStr:
    """Return a key without the white space around it. Raises `ValueError` for one that no HTTP header can carry."""
    text = value.get_secret_value().strip()
    if not text.isprintable() or any(ord(character) > 0xFF for character in text):  # noqa: PLR2004 - latin-1, as headers are
        raise ValueError("it holds control characters or letters that cannot be part of a key")
    return SecretStr(text)


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, RecursionError):
        raise ValueError("dates and deep nesting have no form in JSON") from None
    return value


Text = Annotated[str, Field(min_length=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class _Generate(_Table):
    """Options of ``flux generate``. A description completes the sentence "generate.seed takes …"."""

    model: Annotated[str, AfterValidator(_model)] | None = Field(default=None, description="the name of a model")
    aspect_ratio: Text | None = Field(default=None, description='a ratio such as "16:9"')
    size: Text | None = Field(default=None, description='pixels such as "1024x1024"')
    count: int | None = Field(default=None, ge=1, le=20, description="a whole number from 1 to 20")
    seed: int | None = Field(default=None, description="a whole number")
    raw: bool | None = Field(default=None, description="true or false")
    image: Text | None = Field(default=None, description="a path or a web address")
    image_strength: float | None = Field(default=None, ge=0, le=1, description="a number from 0 to 1")
    format: Literal["jpg", "png", "webp"] | None = Field(default=None, description="jpg, png or webp")
    quality: int | None = Field(default=None, description="a whole number")
    upsample_prompt: bool | None = Field(default=None, description="true or false")
    safety_tolerance: int | None = Field(default=None, description="a whole number")
    check_content: bool | None = Field(default=None, description="true or false")
    webhook: Text | None = Field(default=None, description="a web address")
    metadata: dict[str, str] = Field(default={}, description="a table of texts")
    param: Annotated[dict[str, Any], AfterValidator(_plain)] = Field(default={}, description="a table of JSON values")
    output: Text | None = Field(default=None, description="a path")
    overwrite: bool | None = Field(default=None, description="true or false")
    no_wait: bool | None = Field(default=None, description="true or false")
    timeout: Positive | None = Field(default=None, description="a number of seconds above 0")


class _Host(_Table):
    """What belongs to one provider."""

    api_key: Annotated[SecretStr, AfterValidator(_secret)] | None = Field(default=None, description="a key as text")
    api_key_command: Annotated[str, AfterValidator(_command)] | None = Field(default=None, description="a command line")
    base_url: Annotated[str, AfterValidator(_address)] | None = Field(default=None, description="an https address")
    price: dict[str, Amount] = Field(default={}, description="a table of models and prices")


class _Tree(_Table):
    """The whole file."""

    default_provider: Annotated[str, AfterValidator(_provider)] | None = Field(
        default=None, description="the name of a provider"
    )
    output: Text | None = Field(default=None, description="a path")
    sandbox: bool = Field(default=False, description="true or false")
    sandbox_seconds: Amount = Field(default=2.0, description="a number of seconds, 0 or more")
    generate: _Generate = _Generate()
    providers: dict[str, _Host] = {}


def _leaves() -> Iterator[tuple[Names, str]]:
    sections: dict[Names, type[BaseModel]] = {
        (): _Tree,
        ("generate",): _Generate,
        **{("providers", name): _Host for name in providers.NAMES},
    }
    for section, kind in sections.items():
        yield from (
            ((*section, name), field.description) for name, field in kind.model_fields.items() if field.description
        )


KEYS: Mapping[Names, str] = dict(_leaves())
"""Every key, and what it takes."""

_ENTRIES = {"metadata": "text", "param": "a JSON value", "price": "an amount of 0 or more"}
"""What one entry of a table takes."""

TABLES = frozenset(names for names in KEYS if names[-1] in _ENTRIES)
"""The keys whose value is a table of the user's own names."""

SECRETS = frozenset(names for names in KEYS if names[-1] == "api_key")
"""The keys whose value nobody is shown."""

_INNER = {names[:length] for names in KEYS for length in range(len(names))}
_MODELS = (*providers.MODELS, *providers.MODELS.values())


def dotted(names: Names) -> str:
    """Return a key as people write it, harmless for a terminal."""
    return printable(".".join(names))


def split(key: str) -> Names:
    """Return the parts of a dotted key, or of a table's entry. Raises `UsageError` with the nearest key."""
    parts = tuple(key.split("."))
    for length in range(1, len(parts)):
        if parts[:length] in TABLES:
            parts = (*parts[:length], ".".join(parts[length:]).strip('"'))
            break
    if not is_known(parts):
        raise UsageError(f"there is no key {dotted(parts)} in the config", hint=suggestion(parts))
    return parts


def is_known(names: Names) -> bool:
    """Whether a key, or an entry in a table, may stand in the file."""
    in_table = names[:-1] in TABLES and (names[-2] != "price" or names[-1] in _MODELS)
    return names in KEYS or in_table


def suggestion(names: Names) -> str:
    """Return the hint for an unknown key: the one that was probably meant, or those that there are at its place."""
    depth = next(n for n in range(len(names)) if not (is_known(names[: n + 1]) or names[: n + 1] in _INNER))
    parent = names[:depth]
    here = {key[depth]: None for key in KEYS if len(key) > depth and key[:depth] == parent} or dict.fromkeys(_MODELS)
    if near := nearest(names[depth], here):
        whole = (*parent, near, *names[depth + 1 :])
        return f"did you mean {dotted(whole if is_known(whole) else whole[: depth + 1])}?"
    elsewhere = [key for key in KEYS if key[-1] == names[-1]]
    if len(elsewhere) == 1:
        return f"did you mean {dotted(elsewhere[0])}?"
    return f"known here: {listed(here)}"


def read(path: Path) -> str | None:
    """Return the file's text, ``None`` where there is no such file. Raises `ConfigError`."""
    try:
        with path.open("rb") as handle:
            raw = handle.read(LARGEST + 1)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "no such path"
        raise ConfigError(f"config file {printable(str(path))} cannot be read: {reason.lower()}") from None
    if len(raw) > LARGEST:
        raise ConfigError(f"config file {printable(str(path))} is larger than {LARGEST // 2**20} MiB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"config file {printable(str(path))}, line {line}: is not UTF-8") from None


def parse(text: str, path: Path) -> dict[str, Any]:
    """Return the text of the file at ``path`` as plain values. Raises `ConfigError` naming the line."""
    where = f"config file {printable(str(path))}"
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{where} is nested too deeply") from None
    except ValueError as error:
        line = re.search(r"\(at line (\d+)", str(error))
        number = int(line[1]) if line else text.count("\n") + 1
        reason = (
            re.sub(r" \(at [^()]*\)$", "", str(error)) if isinstance(error, tomllib.TOMLDecodeError) else "a number"
        )
        raise ConfigError(f"{where}, line {number}: is not valid TOML", hint=printable(reason).lower()) from None


def check(document: Mapping[str, Any], path: Path) -> None:
    """Check what the file at ``path`` says. Raises `ConfigError` naming file and key."""
    where = f"config file {printable(str(path))}: "
    _refuse_unknown(document, (), where)
    try:
        _Tree.model_validate(document, strict=True)
    except ValidationError as error:
        names, takes, hint = _explained(error)
        raise ConfigError(f"{where}{dotted(names)} {takes}", hint=hint) from None


def _refuse_unknown(document: Mapping[str, Any], parent: Names, where: str) -> None:
    """Raise `ConfigError` for the first key that there is not, or that is not the table it should be."""
    for name, value in document.items():
        names = (*parent, name)
        is_table = names in _INNER or names in TABLES
        if not is_table and not is_known(names):
            raise ConfigError(f"{where}there is no key {dotted(names)}", hint=suggestion(names))
        if is_table and not isinstance(value, dict):
            raise ConfigError(f"{where}{dotted(names)} takes {KEYS.get(names, 'a table')}")
        if names in _INNER or name == "price":
            _refuse_unknown(value, names, where)


def _explained(error: ValidationError) -> tuple[Names, str, str]:
    """Return the first key that is wrong, what it takes, and a hint: never the value, which may be a secret."""
    found = error.errors(include_url=False, include_input=False)[0]
    names = tuple(str(part) for part in found["loc"])
    length = next(length for length in range(1, len(names) + 1) if names[:length] in KEYS)
    takes = _ENTRIES[names[length - 1]] if len(names) > length else KEYS[names]
    reason = str(found.get("ctx", {}).get("error", "")) if found["type"] == "value_error" else ""
    return names, f"takes {takes}", reason


def nested(values: Mapping[Names, Any]) -> dict[str, Any]:
    """Return values by the parts of their key as tables within tables."""
    whole: dict[str, Any] = {}
    for (*parents, last), value in values.items():
        table = whole
        for name in parents:
            table = table.setdefault(name, {})
        table[last] = value
    return whole


def _flat(document: Mapping[str, Any], parent: Names = ()) -> Iterator[tuple[Names, Any]]:
    """Yield every key of a checked document with its value."""
    for name, value in document.items():
        names = (*parent, name)
        if names in KEYS:
            yield names, value
        else:
            yield from _flat(value, names)


def typed(names: Names, text: str, where: str) -> Any:
    """Return text as its key takes it. Raises `ConfigError` that begins with ``where``, the text's origin."""
    value: Any = text
    is_param = names[:-1] in TABLES and names[-2] == "param"
    if names in TABLES or is_param:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            if names in TABLES:
                raise ConfigError(f"{where} takes {KEYS[names]}, as JSON") from None
    document = nested({names: value})
    _refuse_unknown(document, (), f"{where}: ")
    try:
        found: Any = _Tree.model_validate(document).model_dump(exclude_unset=True)
    except ValidationError as error:
        _, takes, hint = _explained(error)
        raise ConfigError(f"{where} {takes}", hint=hint) from None
    for name in names:
        found = found[name]
    return found


def _variables() -> dict[Names, str]:
    """Return the environment variables of ours that are set, by key."""
    return {names: os.environ[variable(names)] for names in KEYS if os.environ.get(variable(names), "").strip()}


class _Environment(EnvSettingsSource):
    """The environment without the names that are not ours: flux-framework sets some that begin with ``FLUX_`` too."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls)
        self.env_vars = {variable(names).lower(): text for names, text in _variables().items()}


class _Values(_Tree, BaseSettings):
    """The file's values, given as arguments, under those of the environment."""

    model_config = SettingsConfigDict(env_prefix="FLUX_", env_nested_delimiter="__")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - ours leaves out more
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - a .env file belongs to a project, not to a person
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - not offered
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources, the strongest first."""
        return _Environment(settings_cls), init_settings


def variable(names: Names) -> str:
    """Return the environment variable that sets a key."""
    return "FLUX_" + "__".join(names).upper()


def config_path(option: str | None) -> Path:
    """Return where the config file is: ``--config``, else ``$FLUX_CONFIG``, else the platform's place."""
    named = os.environ.get("FLUX_CONFIG") or None if option is None else option
    if named is not None:
        return Path(_home(named))
    from platformdirs import user_config_path  # noqa: PLC0415 - only when wanted

    return user_config_path("flux-cli", appauthor=False) / "config.toml"


def state_path() -> Path:
    """Return the folder that holds what flux remembers between runs."""
    from platformdirs import user_state_path  # noqa: PLC0415 - only when wanted

    return user_state_path("flux-cli", appauthor=False)


def _home(text: str) -> str:
    """Return a path with ``~`` expanded; unlike ``Path`` this keeps a trailing slash and leaves web addresses alone."""
    return os.path.expanduser(text)  # noqa: PTH111 - see above


def _joined(table: Mapping[str, Any], parent: str = "") -> dict[str, Any]:
    """Return parameters by dotted path, whether they were written with quotes or as tables in tables."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        found.update(
            _joined(value, f"{parent}{name}.") if isinstance(value, dict) and value else {parent + name: value}
        )
    return found


@dataclass(frozen=True, slots=True)
class Key:
    """A provider's key, and where it came from, for people."""

    value: SecretStr
    source: str


class Settings:
    """Everything that is configured."""

    def __init__(self, file: Path, document: Mapping[str, Any] | None, warnings: tuple[str, ...] = ()) -> None:
        self.file = file
        self.exists = document is not None
        self.warnings = warnings
        """Sentences for people about a file that works but should not stay as it is."""
        self._variables = _variables()
        for names, text in self._variables.items():
            typed(names, text, variable(names))
        stated = dict(_flat(document or {}))
        values = _Values(**nested({names: value for names, value in stated.items() if names not in self._variables}))
        self._stated = stated.keys() | self._variables.keys()
        self._held = {names: value for names, value in _flat(values.model_dump(exclude_none=True)) if value != {}}
        if params := self._held.get(("generate", "param")):
            self._held["generate", "param"] = _joined(params)
        self._lock = Lock()
        self._answers: dict[str, SecretStr] = {}
        self.default_provider = values.default_provider
        self.output = values.output and _home(values.output)
        self.sandbox = values.sandbox
        self.sandbox_seconds = values.sandbox_seconds
        self.generate: dict[str, Any] = {
            names[1]: _home(value) if names[1] in {"output", "image"} else value
            for names, value in self._held.items()
            if names[0] == "generate"
        }
        """Options of generate by long name; only those that the file or the environment sets."""

    @classmethod
    def load(cls, option: str | None, *, must_exist: bool = True) -> Settings:
        """Return the settings of the file that ``--config`` (``option``) names, else of the usual one.

        A file that was named must be there, unless ``must_exist`` is false. Raises `ConfigError`.
        """
        file = config_path(option)
        text = read(file)
        if text is None:
            if must_exist and (option is not None or os.environ.get("FLUX_CONFIG")):
                raise ConfigError(
                    f"config file {printable(str(file))} does not exist", hint="flux config init makes one"
                )
            return cls(file, None)
        document = parse(text, file)
        check(document, file)
        holds_key = any(names in SECRETS and value for names, value in _flat(document))
        return cls(file, document, _exposed(file) if holds_key else ())

    def base_url(self, provider: str) -> str | None:
        """Return the provider's configured root, without a trailing slash: https, or http on loopback."""
        found: str | None = self._held.get(("providers", provider, "base_url"))
        return found

    def price(self, provider: str, model: str) -> float | None:
        """Return the user's own price of an image, by the model's full name."""
        table = self._held.get(("providers", provider, "price"), {})
        alias = next((alias for alias, name in providers.MODELS.items() if name == model), model)
        found: float | None = table.get(model, table.get(alias))
        return found

    def key(self, provider: Provider) -> Key | None:
        """Return the provider's key. Raises `ConfigError` or `AuthError` where one is named but cannot be had."""
        found = self._find(provider)
        if found is None:
            return None
        source, value = found
        where = source if isinstance(value, SecretStr) else f"{source} of {provider.name}"
        if not isinstance(value, SecretStr):
            with self._lock:  # a command may ask for a passphrase: once is enough
                if provider.name not in self._answers:
                    self._answers[provider.name] = ask(value, where)
                value = self._answers[provider.name]
        try:
            return Key(_secret(value), source)
        except ValueError as error:
            raise ConfigError(f"the key from {where} cannot be used", hint=str(error)) from None

    def key_source(self, provider: Provider) -> str | None:
        """Return where the key would come from, without running any command."""
        found = self._find(provider)
        return found[0] if found else None

    def _find(self, provider: Provider) -> tuple[str, SecretStr | str] | None:
        """Return a source with the key, or with the command that prints it."""
        for name in provider.key_variables:
            if text := os.environ.get(name, "").strip():
                return name, SecretStr(text)
        places = (("providers", provider.name, "api_key"), ("providers", provider.name, "api_key_command"))
        in_environment = [names for names in places if names in self._variables]
        for names in (*in_environment, *places):
            value = self._held.get(names)
            if value and names[-1] == "api_key_command":
                return names[-1], value
            if value:
                return variable(names) if names in self._variables else "config file", value
        return None

    def source(self, key: str) -> str:
        """Return where the value of a dotted key comes from. Raises `UsageError` for an unknown key."""
        names = split(key)
        leaf = names if names in KEYS else names[:-1]
        if leaf in SECRETS:
            for name in providers.load(leaf[1]).key_variables:
                if os.environ.get(name, "").strip():
                    return f"environment {name}"
        if leaf in self._variables:
            return f"environment {variable(leaf)}"
        return "config file" if leaf in self._stated and self.get(key) is not None else "default"

    def get(self, key: str) -> Any:
        """Return the value of a dotted key, ``None`` where there is none; of a secret, ``set`` or ``missing``.

        Raises `UsageError` with the nearest key.
        """
        names = split(key)
        if names in SECRETS:
            elsewhere = any(os.environ.get(name, "").strip() for name in providers.load(names[1]).key_variables)
            return "set" if elsewhere or self._held.get(names) else "missing"
        return self._held.get(names) if names in KEYS else self._held.get(names[:-1], {}).get(names[-1])

    def rows(self) -> list[tuple[str, str, str]]:
        """Return every key that has a value: the dotted key, the value for people, where it comes from."""
        found: list[tuple[str, str, str]] = []
        for names in KEYS:
            key = ".".join(names)
            value = self.get(key)
            if value is not None and not (names in SECRETS and value == "missing"):
                shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                found.append((key, printable(shown), self.source(key)))
        return found


def _exposed(file: Path) -> tuple[str, ...]:
    """Return a warning where others can read a file that holds a key."""
    status = file.stat()
    if os.name != "posix" or not stat.S_ISREG(status.st_mode) or not status.st_mode & 0o044:
        return ()
    name = printable(str(file))
    return (f"config file {name} is readable by others; chmod 600 {shlex.quote(name)}",)


def ask(command: str, where: str, *, seconds: float = COMMAND_SECONDS) -> SecretStr:
    """Return the first line that a command prints. Raises `ConfigError` or `AuthError`, without any of the output."""
    arguments = shlex.split(command)
    said = f"{where}: {printable(Path(arguments[0]).name)}"
    try:
        process = subprocess.Popen(  # noqa: S603 - the user's own command, and no shell
            arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except (OSError, ValueError):
        raise ConfigError(f"{said} cannot be started", hint="is it installed, and on the PATH?") from None
    with process:
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise AuthError(f"{said} took longer than {seconds:g} s") from None
        finally:
            process.kill()  # also when a signal ends the wait; nothing happens to one that has ended
    if process.returncode:
        raise AuthError(f"{said} failed with exit code {process.returncode}")
    line = output.decode(errors="replace").strip().split("\n", 1)[0]
    if not line:
        raise AuthError(f"{said} printed nothing")
    return SecretStr(line)
