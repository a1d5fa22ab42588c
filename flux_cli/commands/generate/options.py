"""The parameters of ``flux generate``: those of the command itself, and one for each option of the image table."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import typer

from flux_cli.commands.options import PROVIDER_HELP, check_choice, typer_option
from flux_cli.errors import UsageError
from flux_cli.image_options import IMAGE_OPTIONS, ImageOption


def _option(*names: str, help: str, metavar: str = "", **more: Any) -> Any:  # noqa: A002 - Typer's word
    return typer.Option(*names, help=help, metavar=metavar, show_default=False, **more)


def _many(*names: str, help: str, metavar: str = "", **more: Any) -> Any:  # noqa: A002 - Typer's word
    return _option(*names, help=help, metavar=metavar, rich_help_panel="Many images", **more)


Prompt = Annotated[
    str | None,
    typer.Argument(
        metavar="PROMPT",
        show_default=False,
        help="The prompt; - reads stdin. Type -- before a leading dash. With --batch, a template such as 'a {animal}'.",
    ),
]
Providers = Annotated[
    list[str] | None, _option("--provider", "-p", metavar="NAME", help=f"{PROVIDER_HELP.removesuffix('.')} (repeat).")
]
Models = Annotated[
    list[str] | None,
    _option("--model", "-m", metavar="NAME", help="Such as flux-2-pro; repeat to compare."),
]
Count = Annotated[int | None, _option("--count", "-n", metavar="N", help="Images, 1 to 20.")]
Like = Annotated[
    str | None,
    _option("--like", metavar="IMAGE|JOB", help="Start from it; options override."),
]
Preset = Annotated[
    str | None,
    _option("--preset", metavar="NAME", help="Options of a preset in the config."),
]
NoWait = Annotated[bool, _option("--no-wait", help="Submit, print the id, exit.")]
DryRun = Annotated[bool, _option("--dry-run", help="Print curl and the cost; send nothing.")]
Once = Annotated[
    str | None,
    _option(
        "--once",
        metavar="NAME",
        help="Buy at most once under this name; used again, print those images.",
        rich_help_panel="Saving, showing, waiting",
    ),
]

Batch = Annotated[
    str | None,
    _many(
        "--batch",
        "-b",
        metavar="FILE",
        help="Prompts from a .txt, .jsonl or .csv file; - for lines or JSON lines on stdin.",
    ),
]
AtOnce = Annotated[int | None, _many("--jobs", "-j", metavar="N", help="How many at once (4).")]
Resume = Annotated[bool, _many("--resume", help="Skip rows that were made before, pick up jobs in progress.")]
Again = Annotated[bool, _many("--again", help="Make every row again, also those made before.")]
Gallery = Annotated[
    str | None, _many("--gallery", metavar="FILE.html", help="Write one page of the images, to view and to share.")
]
MaxCost = Annotated[float | None, _many("--max-cost", metavar="USD", help="Stop before it would cost more.")]

Fallback = Annotated[
    str | None,
    _option(
        "--fallback",
        metavar="P1,P2",
        help="Providers to try if the first accepts nothing.",
        rich_help_panel="Provider",
    ),
]
Param = Annotated[
    list[str] | None,
    _option(
        "--param",
        "-P",
        metavar="PATH=VALUE",
        help="Any other field of the provider's request (repeat).",
        rich_help_panel="Provider",
    ),
]


def add_image_options(command: Callable[..., int]) -> Callable[..., int]:
    """Declare a parameter of ``command`` for each image option; ``command`` receives them as ``**typed``.

    Typer reads the parameters of a command from its signature. Each option comes before the parameter that its entry
    in the table names.
    """
    signature = inspect.signature(command, eval_str=True)
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        if parameter.kind is not parameter.VAR_KEYWORD:
            options = (option for option in IMAGE_OPTIONS.values() if option.before == parameter.name)
            parameters += [*map(_parameter, options), parameter]
    vars(command)["__signature__"] = signature.replace(parameters=parameters)
    return command


def _parameter(option: ImageOption) -> inspect.Parameter:
    """Return the parameter of an image option: ``None`` unless it is typed."""
    kind: Any = list[str] if option.type is dict else option.type
    return inspect.Parameter(
        option.name,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        default=None,
        annotation=Annotated[kind | None, typer_option(option)],
    )


def parse_image_options(typed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the image options that were typed, by name. Raises `UsageError`."""
    given = {name: value for name in IMAGE_OPTIONS if (value := typed[name]) is not None}
    return {name: _parse(IMAGE_OPTIONS[name], value) for name, value in given.items()}


def _parse(option: ImageOption, value: Any) -> Any:
    if option.choices:
        return check_choice(option, value)
    return parse_key_values(value, option.flag) if option.type is dict else value


def parse_key_values(values: Sequence[str], option: str) -> dict[str, str]:
    """Return ``KEY=VALUE`` arguments as a mapping. Raises `UsageError` for one without ``=``, or given twice."""
    found: dict[str, str] = {}
    for value in values:
        name, equals, rest = value.partition("=")
        if not equals or not name:
            raise UsageError(f"{option} takes KEY=VALUE, not {value!r}", hint=f"such as `{option} name=value`")
        if name in found:
            raise UsageError(f"{option} {name} is given twice", hint="give it once")
        found[name] = rest
    return found


def parse_params(values: Sequence[str]) -> dict[str, Any]:
    """Return ``--param`` arguments by path; a value that is JSON is taken as such, any other as text."""
    return {path: _json_or_text(value) for path, value in parse_key_values(values, "--param").items()}


def _json_or_text(value: str) -> Any:
    try:
        found = json.loads(value)
        json.dumps(found, allow_nan=False)
    except (ValueError, RecursionError):
        return value
    return found
