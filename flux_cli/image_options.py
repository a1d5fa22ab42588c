"""The table of image options: everything that `flux generate` lets you say about an image and passes to a provider.

The parameters and the help of ``generate``, the keys of ``[generate]`` in the config, the fields of a batch row, the
metadata in an image, ``--like`` and the command in a gallery are derived from it. To add an option, add one entry here
and one to the table of each provider that has it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

OptionType = type[str] | type[int] | type[float] | type[bool] | type[list[str]] | type[dict[str, str]]


@dataclass(frozen=True, kw_only=True)
class ImageOption:
    """One option."""

    name: str
    """The long name, with underscores: in the config, in a batch row, in metadata and in each provider's table."""
    flags: tuple[str, ...]
    """The long flag (``--raw/--no-raw`` for a boolean that can be turned off), then the short one."""
    type: OptionType
    """``dict`` stands for ``KEY=VALUE``, given any number of times; ``list`` is given any number of times, too."""
    help: str
    metavar: str = ""
    panel: str | None = None
    """The panel of ``--help``; ``None`` for the first one."""
    before: str = "overwrite"
    """The parameter of ``generate`` that follows the option in ``--help``."""
    takes: str
    """What the config key takes: completes the sentence "generate.seed takes …"."""
    low: float | None = None
    """The least number that the config accepts. Each provider's own limits are in its table."""
    high: float | None = None
    """The largest one."""
    choices: tuple[str, ...] = ()
    """The only words that are accepted; empty for any."""
    shapes_image: bool = True
    """Whether it decides what the image looks like, so that the image's metadata records it."""

    @property
    def flag(self) -> str:
        """The long flag, in its positive form."""
        return self.flags[0].partition("/")[0]

    @property
    def off_flag(self) -> str | None:
        """The flag that turns a boolean off, or ``None`` if there is none."""
        return self.flags[0].partition("/")[2] or None


_BOOLEAN, _WHOLE = "true or false", "a whole number"
_OPTIONS = (
    ImageOption(name="aspect_ratio", flags=("--aspect-ratio", "-a"), type=str, metavar="W:H", before="count",
                help="Such as 16:9, 1:1 or 9:16.", takes='a ratio such as "16:9"'),
    ImageOption(name="size", flags=("--size",), type=str, metavar="WxH", panel="Image",
                help="In pixels, if the provider supports it.", takes='pixels such as "1024x1024"'),
    ImageOption(name="seed", flags=("--seed", "-s"), type=int, metavar="INT", before="like",
                help="Same seed, same image.", takes=_WHOLE),
    ImageOption(name="raw", flags=("--raw/--no-raw",), type=bool, panel="Image",
                help="Less processed.", takes=_BOOLEAN),
    ImageOption(name="image", flags=("--image", "-i"), type=list[str], metavar="PATH|URL|JOB",
                help="An image to start from (repeat).", takes="a path or a web address, or several"),
    ImageOption(name="image_strength", flags=("--image-strength",), type=float, metavar="0..1", panel="Image",
                help="The weight of the image prompt.", takes="a number from 0 to 1", low=0, high=1),
    ImageOption(name="mask", flags=("--mask",), type=str, metavar="PATH|URL", panel="Image",
                help="White where the image changes.", takes="a path or a web address"),
    ImageOption(name="strength", flags=("--strength",), type=float, metavar="0..1", panel="Image",
                help="How far to depart from the image.", takes="a number from 0 to 1", low=0, high=1),
    ImageOption(name="resolution", flags=("--resolution",), type=str, metavar="TIER", panel="Image",
                help="Such as 1k, 2k or 4mp, by model.", takes="a tier such as 2k"),
    ImageOption(name="steps", flags=("--steps",), type=int, metavar="INT", panel="Image",
                help="Denoising steps.", takes=_WHOLE),
    ImageOption(name="guidance", flags=("--guidance",), type=float, metavar="X", panel="Image",
                help="How closely to follow the prompt.", takes="a number"),
    ImageOption(name="negative", flags=("--negative",), type=str, metavar="TEXT", panel="Image",
                help="What to avoid.", takes="a text"),
    ImageOption(name="format", flags=("--format", "-f"), type=str, metavar="FORMAT", choices=("jpg", "png", "webp"),
                help="jpg, png or webp; converted if needed.", takes="jpg, png or webp"),
    ImageOption(name="quality", flags=("--quality",), type=int, metavar="INT", panel="Image",
                help="The quality of the compression.", takes=_WHOLE),
    ImageOption(name="upsample_prompt", flags=("--upsample-prompt/--no-upsample-prompt",), type=bool, panel="Image",
                help="Let the provider enrich the prompt.", takes=_BOOLEAN),
    ImageOption(name="safety_tolerance", flags=("--safety-tolerance",), type=int, metavar="0..6", panel="Image",
                help="0 is strictest.", takes=_WHOLE),
    ImageOption(name="check_content", flags=("--check-content",), type=bool, panel="Image",
                help="Ask for the provider's NSFW check.", takes=_BOOLEAN),
    ImageOption(name="cancel_after", flags=("--cancel-after",), type=int, metavar="SECONDS", panel="Provider",
                before="param", help="Have the provider cancel it if it is not done by then.",
                takes="a whole number of seconds", shapes_image=False),
    ImageOption(name="webhook", flags=("--webhook",), type=str, metavar="URL", panel="Provider", before="param",
                help="An address to call when a job ends.", takes="a web address", shapes_image=False),
    ImageOption(name="metadata", flags=("--metadata",), type=dict, metavar="KEY=VALUE", panel="Provider",
                before="param", help="Labels stored with the job (repeat).", takes="a table of texts",
                shapes_image=False),
)  # fmt: skip

IMAGE_OPTIONS = {option.name: option for option in _OPTIONS}
"""Every image option by its name, in the order of the config."""

IMAGE_SHAPING = tuple(option.name for option in _OPTIONS if option.shapes_image and option.name != "seed")
"""The options that an image's metadata records as parameters; a seed is a field of its own."""


def replaced_by(names: Collection[str]) -> frozenset[str]:
    """Return the options that lose their earlier value when ``names`` are given: a size replaces a ratio or a tier."""
    others = {"aspect_ratio", "resolution"}
    return frozenset(names) | (others if "size" in names else set()) | ({"size"} if others & set(names) else set())
