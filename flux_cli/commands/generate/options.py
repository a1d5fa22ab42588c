"""The options of ``flux generate`` alone, each declared once, in the order in which people look for them."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def _option(*names: str, help: str, metavar: str = "", **more: Any) -> Any:  # noqa: A002 - Typer's word
    return typer.Option(*names, help=help, metavar=metavar, show_default=False, **more)


def _image(*names: str, help: str, metavar: str = "") -> Any:  # noqa: A002 - Typer's word
    return _option(*names, help=help, metavar=metavar, rich_help_panel="Image")


def _many(*names: str, help: str, metavar: str = "", **more: Any) -> Any:  # noqa: A002 - Typer's word
    return _option(*names, help=help, metavar=metavar, rich_help_panel="Many images", **more)


def _host(*names: str, help: str, metavar: str = "") -> Any:  # noqa: A002 - Typer's word
    return _option(*names, help=help, metavar=metavar, rich_help_panel="Provider")


Prompt = Annotated[
    str | None,
    typer.Argument(
        metavar="PROMPT", show_default=False, help="The prompt; - reads stdin. Type -- before a leading dash."
    ),
]
Model = Annotated[
    str | None,
    _option(
        "--model",
        "-m",
        metavar="NAME",
        help="pro or ultra (the default).",
    ),
]
AspectRatio = Annotated[str | None, _option("--aspect-ratio", "-a", metavar="W:H", help="Such as 16:9, 1:1 or 9:16.")]
Count = Annotated[int | None, _option("--count", "-n", metavar="N", help="Images, 1 to 20.")]
Seed = Annotated[int | None, _option("--seed", "-s", metavar="INT", help="The same number, the same image.")]
Like = Annotated[
    str | None,
    _option("--like", metavar="IMAGE|JOB", help="Start from it; options override."),
]
NoWait = Annotated[bool, _option("--no-wait", help="Submit, print the id, exit.")]
DryRun = Annotated[bool, _option("--dry-run", help="Print the requests as curl; send nothing.")]
Once = Annotated[
    str | None,
    _option(
        "--once",
        metavar="NAME",
        help="Buy at most once under this name; used again, print those images.",
        rich_help_panel="Saving, showing, waiting",
    ),
]

Size = Annotated[str | None, _image("--size", metavar="WxH", help="Pixels, where the provider takes them.")]
Raw = Annotated[bool | None, _image("--raw/--no-raw", help="Less processed.")]
Picture = Annotated[str | None, _option("--image", "-i", metavar="PATH|URL", help="An image prompt.")]
ImageStrength = Annotated[
    float | None, _image("--image-strength", metavar="0..1", help="How much the image prompt counts.")
]
Quality = Annotated[int | None, _image("--quality", metavar="INT", help="Of the compression.")]
UpsamplePrompt = Annotated[
    bool | None, _image("--upsample-prompt/--no-upsample-prompt", help="Let the provider enrich the prompt.")
]
SafetyTolerance = Annotated[int | None, _image("--safety-tolerance", metavar="0..6", help="0 is strictest.")]
CheckContent = Annotated[bool | None, _image("--check-content", help="Ask for the provider's NSFW check.")]

Batch = Annotated[
    str | None,
    _many("--batch", "-b", metavar="FILE", help="Prompts from a .txt, .jsonl or .csv file; - for lines on stdin."),
]
AtOnce = Annotated[int | None, _many("--jobs", "-j", metavar="N", help="How many at once (4).")]
Resume = Annotated[bool, _many("--resume", help="Skip rows that were made before, pick up jobs in progress.")]
Again = Annotated[bool, _many("--again", help="Make every row again, also those made before.")]
Gallery = Annotated[
    str | None, _many("--gallery", metavar="FILE.html", help="Write one page of the images, to view and to share.")
]
MaxCost = Annotated[float | None, _many("--max-cost", metavar="USD", help="Stop before it would cost more.")]

Fallback = Annotated[
    str | None, _host("--fallback", metavar="P1,P2", help="Providers to try if the first accepts nothing.")
]
Webhook = Annotated[str | None, _host("--webhook", metavar="URL", help="Where the provider reports the end.")]
Metadata = Annotated[
    list[str] | None, _host("--metadata", metavar="KEY=VALUE", help="Labels kept with the job (repeat).")
]
Param = Annotated[
    list[str] | None,
    _host("--param", "-P", metavar="PATH=VALUE", help="Any other field of the provider's request (repeat)."),
]
