"""Find the words that can be typed at the cursor, from the program's table, the config, the environment and the ledger.

Nothing is sent or written, and no command from the config is run. The config is read without checks, because they
cost more time than all the rest: a value of the wrong kind counts as absent.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from flux_cli.completion.parse import CompletionContext, load_table
from flux_cli.config.paths import config_path, state_path, variable_name
from flux_cli.errors import FluxError
from flux_cli.image_options import IMAGE_OPTIONS

Words = Iterable[tuple[str, str]]
"""Words with their descriptions, the likeliest first."""

JOBS, RUNS = 25, 9
"""Jobs and runs that are offered."""
_STATUSES = {
    "cancel": ("submitting", "queued", "running"),
    "result": ("submitting", "queued", "running", "succeeded", "unknown"),
}
"""Which jobs a command can do something with; every other takes all."""
BOUNDED = ("resolution", "steps", "guidance", "strength", "image_strength", "quality", "safety_tolerance")
"""Options whose values depend on the model: words, or the limits of a number."""
_YES = {"1", "true", "t", "yes", "y", "on"}


@dataclass(frozen=True, slots=True)
class Candidates:
    """Words that can be typed, or the name of a file if there are none."""

    words: tuple[tuple[str, str], ...] = ()
    files: bool = False


def find_candidates(cursor: CompletionContext | None) -> Candidates:
    """Return what can be typed at ``cursor``, as whole words."""
    if cursor is None:
        return Candidates()
    words = _names(cursor) if cursor.parameter is None else CandidateSource(cursor).values()
    fitting = tuple((cursor.before + word, said) for word, said in words if word.startswith(cursor.word))
    wants_file = cursor.parameter is not None and _is_file(cursor, str(cursor.parameter["takes"]))
    return Candidates(fitting, files=wants_file and not fitting)


def _names(cursor: CompletionContext) -> Iterator[tuple[str, str]]:
    """Yield commands, or long options; a short one is no shorter for being completed."""
    command: Mapping[str, Any] = load_table()["program"]
    for name in cursor.path:
        command = command["commands"][name]
    for name in cursor.names:
        yield name, command["commands"][name]["help"]
    for option in cursor.options:
        for name in option["names"]:
            if name.startswith("--") or name == cursor.word:
                yield name, option["help"]


def _is_file(cursor: CompletionContext, takes: str) -> bool:
    if cursor.path == ("config", "set") and takes == "VALUE":
        return _takes(cursor) == "a path" or _leaf(cursor) == "image"
    return takes == "JOB" or any(
        part.startswith(("FILE", "PATH", "IMAGE")) and "=" not in part for part in takes.split("|")
    )


def _leaf(cursor: CompletionContext) -> str:
    """Return the last part of the config key that is being set."""
    return cursor.given.get("key", [""])[-1].rpartition(".")[2]


def _takes(cursor: CompletionContext) -> str:
    """Return what the config key that is being set takes, in words."""
    key = cursor.given.get("key", [""])[-1]
    if key.startswith("presets."):
        key = "default_provider" if _leaf(cursor) == "provider" else f"generate.{_leaf(cursor)}"
    return str(load_table()["config"].get(key, ""))


def _part(document: Mapping[str, Any], names: tuple[str, ...]) -> object:
    """Return the value of a key in the config file, or ``None``."""
    found: object = document
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _words(choices: Iterable[str]) -> Words:
    return [(word, "") for word in choices]


@dataclass
class CandidateSource:
    """Values for the option or argument at the cursor."""

    cursor: CompletionContext
    _kinds: Mapping[str, Callable[[], Words]] = field(init=False)

    def __post_init__(self) -> None:
        """Map the name of an option or argument, or what it takes, to the function that lists its values."""
        self._kinds = {
            "provider": self.providers,
            "default_provider": self.providers,
            "fallback": self.fallbacks,
            "model": self.models,
            "preset": self.presets,
            "aspect_ratio": self.ratios,
            "size": self.sizes,
            **{name: partial(self.bounds, name) for name in BOUNDED},
            **{name: partial(_words, option.choices) for name, option in IMAGE_OPTIONS.items() if option.choices},
            "by": lambda: [(name, "") for name in ("provider", "model", "day", "label")],
            "key": self.keys,
            "value": self.settings,
            "TOPIC": self.topics,
            "JOB": self.jobs,
            "IMAGE|JOB": self.jobs,
            "PATH|URL|JOB": self.jobs,
        }

    def values(self) -> Words:
        """Return the values of the option or argument that is being typed."""
        parameter = self.cursor.parameter or {}
        find = self._kinds.get(parameter.get("takes", "")) or self._kinds.get(parameter.get("name", ""))
        return () if find is None else find()

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """The config file's content, unchecked; empty if it cannot be read."""
        try:
            text = config_path(self.cursor.given.get("config", [None])[-1]).read_text(encoding="utf-8-sig")
            import tomllib  # noqa: PLC0415 - only where there is something to read

            return tomllib.loads(text)
        except (FluxError, OSError, ValueError, RecursionError):
            return {}

    def configured(self, *names: str) -> str:
        """Return what the environment or else the file says of a key, as text; empty for nothing."""
        found = os.environ.get(variable_name(names), "").strip() or _part(self.document, names)
        return str(found).lower() if isinstance(found, bool) else found if isinstance(found, str) else ""

    @cached_property
    def sandbox(self) -> bool:
        """Whether the sandbox is on."""
        return "sandbox" in self.cursor.given or self.configured("sandbox").lower() in _YES

    def has_key(self, provider: str) -> bool:
        """Whether a provider's key is set, or a command that prints it."""
        in_environment = any(os.environ.get(name, "").strip() for name in load_table()["providers"][provider]["keys"])
        places = [("providers", provider, "api_key"), ("providers", provider, "api_key_command")]
        return in_environment or any(self.configured(*names) for names in places)

    def providers(self) -> Words:
        """Return the providers, each with whether its key is set."""
        said = {True: "key is set", False: "no key yet"}
        for name, about in load_table()["providers"].items():
            yield name, f"{about['title']}, {'sandbox' if self.sandbox else said[self.has_key(name)]}"

    def fallbacks(self) -> Words:
        """Return lists of providers: what is there already, and one more."""
        listed = self.cursor.word.split(",")[:-1]
        tried = {*listed, *self.cursor.given.get("provider", [])}
        for name, said in self.providers():
            if name not in tried:
                yield ",".join([*listed, name]), said

    def provider(self) -> str | None:
        """Return the provider that is typed, or would be chosen, or ``None``."""
        typed = self.cursor.given.get("provider", [])
        name = typed[-1] if typed else self.configured("default_provider")
        if name or self.sandbox:
            return name or "runware"
        ready = [name for name in load_table()["providers"] if self.has_key(name)]
        return ready[0] if len(ready) == 1 else None

    def hosted(self) -> list[Mapping[str, Any]]:
        """Return the entries of the model that is typed or would be chosen: at its provider, or at all providers."""
        typed = self.cursor.given.get("model", [])
        word = typed[-1] if typed else self.configured("generate", "model")
        word = self.own_models().get(word, word).lower()
        model = load_table()["models"].get(word, word) or load_table()["default_model"]
        hosts = self.hosts()
        found = [about["models"][model] for about in hosts if model in about["models"]]
        return found or ([] if typed else [about["models"][load_table()["default_model"]] for about in hosts])

    def hosts(self) -> list[Mapping[str, Any]]:
        """Return the entry of the provider that is typed or would be chosen, or those of all providers.

        The commands that compare providers choose none.
        """
        every: Mapping[str, Any] = load_table()["providers"]
        compares = self.cursor.path[:1] in {("models",), ("providers",), ("status",)}
        chosen = next(reversed(self.cursor.given.get("provider", [])), None) if compares else self.provider()
        return [about for name, about in every.items() if name == chosen] or list(every.values())

    def own_models(self) -> dict[str, str]:
        """Return the bases of the models in the config, by name."""
        tables = _part(self.document, ("models",))
        found = tables.items() if isinstance(tables, dict) else ()
        return {name: str(about.get("base", "")) for name, about in found if isinstance(about, dict)}

    def presets(self) -> Words:
        """Return the presets of the config, each with what it holds."""
        tables = _part(self.document, ("presets",))
        found = tables.items() if isinstance(tables, dict) else ()
        for name, table in found:
            if isinstance(table, dict):
                yield name, ", ".join(f"{key} {value}" for key, value in table.items() if not isinstance(value, dict))

    def models(self) -> Words:
        """Return those models that the provider hosts: short names, names of the config, then full names."""
        known: Mapping[str, str] = load_table()["models"]
        titles: Mapping[str, str] = load_table()["titles"]
        hosted = {name for about in self.hosts() for name in about["models"]}
        yield from ((short, full) for short, full in known.items() if full in hosted and short not in titles)
        for name, base in self.own_models().items():
            if known.get(base.lower()) in hosted:
                yield name, f"yours, a {base}"
        yield from ((name, title) for name, title in titles.items() if name in hosted)

    def bounds(self, name: str) -> Words:
        """Return the words that an option takes, or the limits of its number, each with what it is."""
        found: dict[str, str] = {}
        for model in self.hosted():
            for word, said in model["bounds"].get(name, {}).items():
                found.setdefault(word, said)
        return found.items()

    def ratios(self) -> Words:
        """Return the aspect ratios of the model; where it is clear which provider is meant, with their pixels."""
        hosted = self.hosted()
        if len(hosted) == 1:
            found: Mapping[str, str] = hosted[0]["ratios"]
            return found.items()
        return [(ratio, "") for ratio in dict.fromkeys(ratio for model in hosted for ratio in model["ratios"])]

    def sizes(self) -> Words:
        """Return the sizes of a model that takes certain ones."""
        return [(size, "") for size in dict.fromkeys(size for model in self.hosted() for size in model["sizes"])]

    def keys(self) -> Words:
        """Return the keys of the config; those to remove are those that are there."""
        known: Mapping[str, str] = {**load_table()["config"], **self.preset_keys()}
        if self.cursor.path[-1:] == ("unset",):
            known = {
                key: said for key, said in known.items() if _part(self.document, tuple(key.split("."))) is not None
            }
        return known.items()

    def preset_keys(self) -> Mapping[str, str]:
        """Return the keys of the presets in the config, and of the one that is being typed."""
        words = self.cursor.word.split(".")
        typed = words[1:2] if words[0] == "presets" and len(words) > 2 else []  # noqa: PLR2004 - presets.NAME.
        found: dict[str, str] = {}
        for name in dict.fromkeys([*(name for name, _ in self.presets()), *typed]):
            for key, said in load_table()["config"].items():
                if key.startswith("generate."):
                    found[f"presets.{name}.{key.removeprefix('generate.')}"] = said
            found[f"presets.{name}.provider"] = load_table()["config"]["default_provider"]
        return found

    def settings(self) -> Words:
        """Return the values of the config key that is being set."""
        takes, leaf = _takes(self.cursor), _leaf(self.cursor)
        if takes == "true or false":
            return [("true", ""), ("false", "")]
        return self._kinds[leaf]() if leaf in self._kinds and leaf not in {"key", "value"} else ()

    def topics(self) -> Words:
        """Return the topics of the help and the commands; behind a command, those within it."""
        command: Mapping[str, Any] = load_table()["program"]
        for word in self.cursor.given.get("topic", []):
            command = command.get("commands", {}).get(word, {})
        commands = {name: about["help"] for name, about in command.get("commands", {}).items()}
        return ({**commands, **load_table()["topics"]} if command is load_table()["program"] else commands).items()

    def jobs(self) -> Words:
        """Return the latest run, and then the latest jobs, each with its prompt; after an ``@``, the latest runs."""
        from flux_cli.ledger.peek import recent  # noqa: PLC0415 - only for jobs
        from flux_cli.text import printable  # noqa: PLC0415

        typed = {*self.cursor.given.get("jobs", [])}
        at = self.cursor.word.startswith("@")
        try:
            folder = state_path(sandbox=self.sandbox)
        except FluxError:  # there is no home folder
            return
        seen = recent(
            folder / "ledger.sqlite3",
            sandbox=self.sandbox,
            statuses=() if at else _STATUSES.get(self.cursor.path[0], ()),
            provider=None if at else next(iter(self.cursor.given.get("provider", [])), None),
            limit=500 if at else JOBS,
        )
        runs = list(dict.fromkeys(job.run for job in seen))[: RUNS if at else 1]
        for number, run in enumerate(runs, start=1):
            jobs = [job for job in seen if job.run == run]
            count = f" ({len(jobs)} jobs)" if len(jobs) > 1 else ""
            which = "the latest run: " if number == 1 else ""
            yield f"@{number}", f"{which}{printable(jobs[0].prompt, limit=50)}{count}"
        for job in seen if not at else ():
            if job.id not in typed:
                status = "" if job.status == "succeeded" else f" ({job.status})"
                yield job.id, f"{printable(job.prompt, limit=60)}{status}"
