"""Downloads: how fast finished images reach the disk, beside curl, and whether memory grows with their number."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.benchmarks.ground import MEGA, Cost, Host, Row, User, costed, folder
from tests.benchmarks.spent import computing

IMAGES, FEW = 200, 20
SIZE = 2752, 1536
"""Pixels; such a picture of the host's weighs 1 MB."""
ROUNDS = 3
AT_ONCE = 4
"""Images that `flux result` fetches side by side."""
LEAST = 0.8
"""Of curl's throughput."""
WORDS = ["result", "--all", "-o", "made/", "-q"]
FLAT = 1.1
"""How much more memory ten times as many images may take."""


@dataclass(frozen=True)
class Round:
    """What one round took; throughput in bytes a second is the images' size by the wall time of the process."""

    size: int
    """Bytes of all images together, as the host sends them."""
    flux: Cost
    few: Cost
    """The same with a tenth of the images."""
    curl: Cost
    parallel: Cost


def somebody(place: Path, host: Host, images: int) -> User:
    """Return a new user whose images are finished, and not saved."""
    user = User(place, host.base_url)
    user.buy(images)
    user.run("status", "--limit", str(images))
    return user


def fetched(place: Path, host: Host, images: int) -> Cost:
    """Let a new user fetch finished images, and return what that took."""
    user = somebody(place, host, images)
    cost = user.cost(*WORDS)
    made = list((user.images / "made").glob("*.jpg"))
    if len(made) != images:
        raise RuntimeError(f"{len(made)} of {images} images were saved")
    return cost


def curled(place: Path, host: Host, images: int, options: Sequence[str] = ()) -> Cost:
    """Let one curl fetch as many images from the same host, and return what that took."""
    place.mkdir()
    links = list(host.records())[:images]
    config = place / "links"
    config.write_text("".join(f'url = "{host.root}/images/{link}.jpg"\noutput = "{link}.jpg"\n' for link in links))
    return costed(["curl", "-sS", "--fail", *options, "-K", str(config)], {}, place)


def measured(place: Path, images: int = IMAGES, few: int = FEW, pixels: tuple[int, int] = SIZE) -> Round:
    """Fetch the images once each way."""
    with Host(size=pixels) as host:
        flux = fetched(place / "flux", host, images)
        curl = curled(place / "curl", host, images)
        parallel = curled(place / "parallel", host, images, ["-Z", "--parallel-max", str(AT_ONCE)])
        size = sum(path.stat().st_size for path in (place / "curl").glob("*.jpg"))
        return Round(size, flux, fetched(place / "few", host, few), curl, parallel)


def rows() -> list[Row]:
    """Measure everything, and return the lines of the table."""
    if shutil.which("curl") is None:
        return [Row("download", "curl is not installed")]
    rounds: list[Round] = []
    for _ in range(ROUNDS):
        with folder() as place:
            rounds.append(measured(place))
    ours, theirs, parallel = (
        median(one.size / cost.wall / MEGA for one, cost in costs)
        for costs in ([(one, getattr(one, name)) for one in rounds] for name in ("flux", "curl", "parallel"))
    )
    many, few = (median(getattr(one, name).memory / MEGA for one in rounds) for name in ("flux", "few"))
    what = f"download: {IMAGES} images, {rounds[0].size / IMAGES / MEGA:.1f} MB each"
    return [
        Row(
            what,
            f"{ours:.0f} MB/s, {ours / theirs:.2f} x curl ({theirs:.0f} MB/s)",
            f"{LEAST:g} x",
            ours >= LEAST * theirs,
        ),
        Row(f"{what}: {AT_ONCE} at once", f"{ours / parallel:.2f} x curl -Z ({parallel:.0f} MB/s)"),
        Row("download: memory", f"{many:.0f} MB, {many / few:.2f} x that of {FEW} images", "flat", many <= FLAT * few),
    ]


def profile() -> str:
    """Return what the threads of `flux result` are at."""
    with folder() as place, Host(size=SIZE) as host:
        user = somebody(place, host, IMAGES)
        return f"flux result --all, {IMAGES} images\n{computing(WORDS, user.env, user.images)}"
