"""Measure downloads: how fast finished images reach the disk, beside curl and a bare script, and in which memory."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.benchmarks.ground import MEGA, ROOT, Cost, Host, Row, User, costed, folder
from tests.benchmarks.spent import computing

IMAGES, FEW = 200, 20
SIZE = 2752, 1536
"""Pixels; such a picture of the host's weighs 1 MB."""
ROUNDS = 3
AT_ONCE = 4
"""Images that `flux result` fetches side by side."""
LEAST = 125
"""MB/s: a line of 1 Gbit/s."""
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
    bare: Cost
    """The same with httpx, each image forced to the disk, and nothing else."""


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


def bare(place: Path, host: Host, images: int) -> Cost:
    """Let the bare script fetch as many images from the same host, and return what that took."""
    place.mkdir()
    links = [f"{host.root}/images/{link}.jpg" for link in list(host.records())[:images]]
    return costed([sys.executable, str(ROOT / "tests/benchmarks/bare_download.py"), str(place), *links], {}, place)


def measured(place: Path, images: int = IMAGES, few: int = FEW, pixels: tuple[int, int] = SIZE) -> Round:
    """Fetch the images once each way."""
    with Host(size=pixels) as host:
        flux = fetched(place / "flux", host, images)
        curl = curled(place / "curl", host, images)
        parallel = curled(place / "parallel", host, images, ["-Z", "--parallel-max", str(AT_ONCE)])
        size = sum(path.stat().st_size for path in (place / "curl").glob("*.jpg"))
        script = bare(place / "bare", host, images)
        return Round(size, flux, fetched(place / "few", host, few), curl, parallel, script)


def rows() -> list[Row]:
    """Measure everything, and return the lines of the table."""
    if shutil.which("curl") is None:
        return [Row("download", "curl is not installed")]
    rounds: list[Round] = []
    for _ in range(ROUNDS):
        with folder() as place:
            rounds.append(measured(place))
    ours, theirs, parallel, script = (
        median(one.size / cost.wall / MEGA for one, cost in costs)
        for costs in ([(one, getattr(one, name)) for one in rounds] for name in ("flux", "curl", "parallel", "bare"))
    )
    many, few = (median(getattr(one, name).memory / MEGA for one in rounds) for name in ("flux", "few"))
    what = f"download: {IMAGES} images, {rounds[0].size / IMAGES / MEGA:.1f} MB each"
    return [
        Row(
            what,
            f"{ours:.0f} MB/s, {ours / theirs:.2f} x curl ({theirs:.0f} MB/s)",
            f"{LEAST} MB/s",
            ours >= LEAST,
        ),
        Row(
            "download: beside a bare script with httpx",
            f"{ours / script:.2f} x ({script:.0f} MB/s), {1 - ours / script:.0%} of the time is ours",
        ),
        Row(f"{what}: {AT_ONCE} at once", f"{ours / parallel:.2f} x curl -Z ({parallel:.0f} MB/s)"),
        Row("download: memory", f"{many:.0f} MB, {many / few:.2f} x that of {FEW} images", "flat", many <= FLAT * few),
    ]


def profile() -> str:
    """Return what the threads of `flux result` are at."""
    with folder() as place, Host(size=SIZE) as host:
        user = somebody(place, host, IMAGES)
        return f"flux result --all, {IMAGES} images\n{computing(WORDS, user.env, user.images)}"
