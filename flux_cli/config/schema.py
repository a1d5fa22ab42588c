"""Define every config key: its type, its bounds, and what it takes in words.

The models never show a value in an error, because any value may hold a secret.
"""

from __future__ import annotations

import ipaddress
import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, create_model, model_validator

from flux_cli import providers
from flux_cli.errors import UsageError
from flux_cli.image_options import IMAGE_OPTIONS, ImageOption
from flux_cli.text import nearest

MODEL_NAMES = (*providers.MODELS, *providers.ALIASES)
"""Every name and alias of a model."""

Names = tuple[str, ...]
"""The parts of a dotted key. The name of an entry in a table may contain dots itself."""


def _check_provider(text: str) -> str:
    return _check_name(providers.check_name, text)


def _check_base(text: str) -> str:
    if providers.canonical_name(text) is None:
        near = nearest(text, MODEL_NAMES)
        raise ValueError(f"did you mean {near}?" if near else "`flux models` lists the models")
    return text


def _check_own_names(models: dict[str, _OwnModel]) -> dict[str, _OwnModel]:
    for name in models:
        if name.lower() in MODEL_NAMES:
            raise ValueError(f"{name} is a model that flux knows already; choose another name")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            raise ValueError("the name of a model consists of letters, digits, dots, dashes and underscores")
    return models


def _check_name(find: Callable[[str], object], text: str) -> str:
    try:
        find(text)
    except UsageError as error:
        raise ValueError(error.hint) from None
    return text


def _check_address(text: str) -> str:
    """Return a base URL without its trailing slash. Raises `ValueError`, because the key is sent to this address."""
    if re.search(r"[^!-~]|[\\@?#]", text):
        raise ValueError("it must not contain user names, queries, fragments, spaces or non-ASCII characters")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("the host or the port is not valid") from None
    if port == 0 or not re.fullmatch(r"[a-z0-9._-]+|[0-9a-f:.]*:[0-9a-f:.]*", host):
        raise ValueError("the host or the port is not valid")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise ValueError(
            "http is allowed for 127.0.0.1, ::1 and localhost only, because the key would be sent unencrypted"
        )
    return text.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_command(text: str) -> str:
    if not shlex.split(text):
        raise ValueError("it is empty")
    return text


def check_header_value(value: SecretStr) -> SecretStr:
    """Return a key without surrounding white space. Raises `ValueError` for one that no HTTP header can carry."""
    text = value.get_secret_value().strip()
    if not text.isprintable() or any(ord(character) > 0xFF for character in text):  # noqa: PLR2004 - latin-1, as headers are
        raise ValueError("it contains characters that cannot be part of a key")
    return SecretStr(text)


def _check_json(value: dict[str, Any]) -> dict[str, Any]:
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError):
        raise ValueError("JSON cannot hold dates, nan, invalid text or deep nesting") from None
    return value


Text = Annotated[str, Field(min_length=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class _ModelAndCount(_Table, defer_build=True):  # nothing is checked by it alone, so it is never built
    """What comes before the image options in ``[generate]``."""

    model: Text | None = Field(default=None, description="the name of a model")
    count: int | None = Field(default=None, ge=1, le=20, description="a whole number from 1 to 20")


def _image_field(option: ImageOption) -> tuple[Any, Any]:
    """Return the type of an image option's key, and its default, bounds and description."""
    if option.type is dict:
        return dict[str, str], Field(default_factory=dict, description=option.takes)
    if option.type == list[str]:
        texts: Any = Text
        return texts | Annotated[list[Text], Field(min_length=1)] | None, Field(default=None, description=option.takes)
    kind: Any = Literal[option.choices] if option.choices else Text if option.type is str else option.type
    return kind | None, Field(default=None, ge=option.low, le=option.high, description=option.takes)


if TYPE_CHECKING:
    _ImageOptions = _ModelAndCount
else:
    _ImageOptions = create_model(
        "_ImageOptions",
        __base__=_ModelAndCount,
        **{name: _image_field(option) for name, option in IMAGE_OPTIONS.items()},
    )


class GenerateTable(_ImageOptions, defer_build=False):
    """Options of ``flux generate``. A description completes the sentence "generate.seed takes …"."""

    param: Annotated[dict[str, Any], AfterValidator(_check_json)] = Field(
        default_factory=dict, description="a table of JSON values"
    )
    output: Text | None = Field(default=None, description="a path")
    overwrite: bool | None = Field(default=None, description="true or false")
    embed: bool | None = Field(default=None, description="true or false")
    no_wait: bool | None = Field(default=None, description="true or false")
    fallback: Text | None = Field(default=None, description="names of providers, joined by commas")
    jobs: int | None = Field(default=None, ge=1, le=100, description="a whole number from 1 to 100")
    max_cost: Amount | None = Field(default=None, description="an amount in USD, 0 or more")
    timeout: Positive | None = Field(default=None, description="a number of seconds above 0")
    provider: Annotated[str, AfterValidator(_check_provider)] | None = None
    """Only in a preset: without a description, it is no key of ``[generate]``."""


class _Budget(_Table):
    """The most that all jobs together may cost."""

    daily: Amount | None = Field(default=None, description="an amount in USD, 0 or more")
    monthly: Amount | None = Field(default=None, description="an amount in USD, 0 or more")


class _Host(_Table):
    """The keys of one provider."""

    api_key: Annotated[SecretStr, AfterValidator(check_header_value)] | None = Field(
        default=None, description="a key as text"
    )
    api_key_command: Annotated[str, AfterValidator(_check_command)] | None = Field(
        default=None, description="a command line"
    )
    base_url: Annotated[str, AfterValidator(_check_address)] | None = Field(
        default=None, description="an https address"
    )
    price: dict[str, Amount] = Field(default_factory=dict, description="a table of models and prices")


class _OwnModel(_Table):
    """A model of ``[models]``; the other keys are names of providers, and their values ids."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Text | None]  # pyright: ignore[reportIncompatibleVariableOverride] - as documented

    base: Annotated[str, AfterValidator(_check_base)]
    price: Amount | None = None

    @model_validator(mode="after")
    def _check_ids(self) -> Self:
        for name in self.__pydantic_extra__:
            if name not in providers.NAMES and name not in providers.names():
                raise ValueError(f"there is no key {name} in it; {OWN_MODEL_KEYS}")
        return self


class Tree(_Table, defer_build=True):  # without a file, it is not needed
    """The whole file."""

    default_provider: Annotated[str, AfterValidator(_check_provider)] | None = Field(
        default=None, description="the name of a provider"
    )
    output: Text | None = Field(default=None, description="a path")
    preview: Literal["auto", "never"] | None = Field(default=None, description="auto or never")
    sandbox: bool = Field(default=False, description="true or false")
    sandbox_seconds: Amount = Field(default=2.0, description="a number of seconds, 0 or more")
    max_image_bytes: int = Field(default=2**28, ge=1, description="a whole number of bytes above 0")
    models: Annotated[dict[str, _OwnModel], AfterValidator(_check_own_names)] = Field(
        default_factory=dict, description="a table of your own models, each with its base"
    )
    generate: GenerateTable = GenerateTable()
    budget: _Budget = _Budget()
    presets: dict[str, GenerateTable] = {}
    providers: dict[str, _Host] = {}


def _fields(table: type[BaseModel], *section: str) -> dict[Names, str]:
    """Return what each key of a section takes, in words."""
    return {(*section, name): field.description for name, field in table.model_fields.items() if field.description}


_PRESET = {**_fields(GenerateTable), ("provider",): "the name of a provider"}
_PRESET_NAME = r"[A-Za-z0-9_-]+"


class Keys(Mapping[Names, str]):
    """Every key, with what it takes. Iteration leaves out presets, which may have any name.

    Packages may add providers. They are looked for only where a key names a provider that flux does not have.
    """

    own: ClassVar[Mapping[Names, str]] = {
        **_fields(Tree),
        **_fields(GenerateTable, "generate"),
        **_fields(_Budget, "budget"),
        **{names: takes for name in providers.NAMES for names, takes in _fields(_Host, "providers", name).items()},
    }
    """The keys without those of plug-ins."""

    def __getitem__(self, names: Names) -> str:
        match names:
            case ("providers", str(provider), key) if provider not in providers.NAMES and provider in providers.names():
                return self.own["providers", providers.DEFAULT_PROVIDER, key]
            case ("presets", str(name), key) if re.fullmatch(_PRESET_NAME, name):
                return _PRESET[key,]
            case _:
                return self.own[names]

    def __iter__(self) -> Iterator[Names]:
        yield from self.own
        for name in providers.names():
            if name not in providers.NAMES:
                yield from _fields(_Host, "providers", name)

    def __len__(self) -> int:
        return sum(1 for _ in self)


KEYS = Keys()

ENTRIES = {
    "metadata": "text",
    "models": 'a table such as { base = "flux-2-pro" }',
    "param": "a JSON value",
    "price": "an amount of 0 or more",
}
"""What an entry of each table takes."""
OWN_MODEL = {"base": "the name of a model", "price": ENTRIES["price"]}
"""What the keys of one of your own models take; any other is the name of a provider."""
OWN_MODEL_KEYS = "its keys are base, price and the names of providers"


def is_table(names: Names) -> bool:
    """Whether the value of a key is a table with names that you choose."""
    return names[-1:] != () and names[-1] in ENTRIES and names in KEYS


def is_secret(names: Names) -> bool:
    """Whether the value of a key is never shown."""
    return names[-1:] == ("api_key",) and names in KEYS


def is_section(names: Names) -> bool:
    """Whether this is a table that holds keys, or the whole file."""
    match names:
        case () | ("generate" | "budget" | "providers" | "presets",):
            return True
        case ("presets", name):
            return re.fullmatch(_PRESET_NAME, name) is not None
        case ("providers", provider):
            return provider in providers.NAMES or provider in providers.names()
        case _:
            return False


def list_names(section: Names) -> list[str]:
    """Return the names of what a section holds; none where you choose them."""
    depth = len(section)
    if section[:1] == ("presets",):
        return [name for (name,) in _PRESET] if depth == 2 else []  # noqa: PLR2004 - presets.NAME
    found = [names[depth] for names in KEYS if len(names) > depth and names[:depth] == section]
    return list(dict.fromkeys([*found, "presets"] if not section else found))
