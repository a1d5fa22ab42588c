"""Input images are known by their content, not by their path: in rows, under ``--once`` and for ``--like``."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from flux_cli.providers import runware
from tests.commands.editing import EDIT, FILL, FOX, HOST, MASK, Studio, data_uri, prepare, stdin


@pytest.fixture(autouse=True)
def files(monkeypatch):
    """Put two images and a mask into the current folder, and the made-up table into the provider."""
    prepare(monkeypatch)


@pytest.fixture
def studio(host) -> Studio:
    host.script = Studio(host.root)
    return host.script


def rows(*objects: dict) -> None:
    Path("rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in objects))


def test_a_row_is_known_by_the_content_of_its_images(flux, studio):
    """Under another path it is the same row; with other content it is a new one."""
    batch = ("generate", "-b", "rows.jsonl", *EDIT, "-o", "out/", "-q")
    rows({"prompt": "winter", "image": "fox.png"}, {"prompt": "winter", "image": ["fox.png", "navy.png"]})
    assert flux(*batch).code == 0
    assert len(studio.tasks) == 2

    shutil.copy("fox.png", "moved.png")
    rows({"prompt": "winter", "image": "moved.png"}, {"prompt": "winter", "image": ["./fox.png", "navy.png"]})
    assert flux(*batch, "--resume").code == 0
    assert len(studio.tasks) == 2

    Path("fox.png").write_bytes(MASK)
    assert flux(*batch, "--resume").code == 0
    assert len(studio.tasks) == 3
    assert studio.tasks[2]["images"][0] == data_uri(MASK)


def test_an_image_and_a_mask_in_each_others_place_are_another_row(flux, studio):
    batch = ("generate", "-b", "rows.jsonl", *FILL, "-o", "out/", "-q", "--resume")
    rows({"prompt": "winter", "image": "fox.png", "mask": "mask.png"})
    flux(*batch)
    rows({"prompt": "winter", "image": "mask.png", "mask": "fox.png"})
    flux(*batch)

    assert [task["seedImage"] for task in studio.tasks] == [data_uri(FOX), data_uri(MASK)]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_rows_with_one_image_and_with_several(flux, studio, kind):
    """In a cell of a table, several images are a JSON list."""
    several = json.dumps(["fox.png", "navy.png"])
    if kind == "csv":
        cell = several.replace('"', '""')
        Path("rows.csv").write_text(f'prompt,image\nwinter,fox.png\nsummer,"{cell}"\nautumn,\n')
    else:
        rows(
            {"prompt": "winter", "image": "fox.png"},
            {"prompt": "summer", "image": json.loads(several)},
            {"prompt": "autumn"},
        )

    done = flux("generate", "-b", f"rows.{kind}", *EDIT, "--no-wait", "-j", "1")

    assert done.code == 0, done
    assert [len(task.get("images", ())) for task in studio.tasks] == [1, 2, 0]
    assert [task["model"] for task in studio.tasks] == ["up:edit@1", "up:edit@1", "up:text@1"]


def test_a_name_is_used_once_for_the_same_images_whatever_they_are_called(flux, studio):
    line = ("generate", "winter", *EDIT, "--once", "cover", "-q")
    assert flux(*line, "-i", "fox.png").code == 0
    Path("fox.png").rename("moved.png")

    again = flux(*line, "-i", "moved.png")
    Path("moved.png").write_bytes(MASK)
    other = flux(*line, "-i", "moved.png")

    assert (again.code, other.code, len(studio.tasks)) == (0, 2, 1)
    assert "--once cover was used with another prompt or other options" in other.err


def test_like_takes_the_input_images_along(flux, studio):
    """While they are there; a note says that one has changed, an error that one is gone."""
    flux("generate", "winter", *EDIT, "-i", "fox.png", "-i", "navy.png", "-o", "made.png")

    same = flux("generate", "--like", "@1", "--no-wait")
    assert same.code == 0, same
    assert studio.tasks[1]["images"] == studio.tasks[0]["images"]
    assert "changed" not in same.err

    Path("fox.png").write_bytes(MASK)
    changed = flux("generate", "--like", "made.png", "--no-wait")
    assert changed.code == 0, changed
    assert f"{Path('fox.png').absolute()} has changed since made.png was made from it" in changed.err

    Path("fox.png").unlink()
    gone = flux("generate", "--like", "made.png", "--no-wait")
    assert (gone.code, len(studio.tasks)) == (2, 3)
    assert f"cannot read the image {Path('fox.png').absolute()}" in gone.err
    assert flux("generate", "--like", "made.png", "-i", "navy.png", "--no-wait").code == 0


def test_like_of_an_image_from_stdin_says_that_it_is_unknown(flux, studio):
    flux("generate", "winter", *EDIT, "-i", "-", "-o", "made.png", stdin=stdin(FOX))

    done = flux("generate", "--like", "made.png", "--no-wait")

    assert done.code == 0, done
    assert "made with --image as well" in done.err
    assert "images" not in studio.tasks[1]


def test_a_row_whose_file_was_gone_for_a_moment_is_made_by_resume(flux, studio, monkeypatch):
    rows({"prompt": "winter", "image": "fox.png"})
    batch = ("generate", "-b", "rows.jsonl", *EDIT, "-o", "out/", "-q")
    calls: list[str] = []

    def submit(planned):
        calls.append(planned.job.id)
        if len(calls) == 2:  # as above
            Path("fox.png").unlink()
        return (yield from HOST.submit(planned))

    monkeypatch.setattr(runware, "PROVIDER", replace(HOST, submit=submit))
    first = flux(*batch)
    Path("fox.png").write_bytes(FOX)
    second = flux(*batch, "--resume")

    assert (first.code, second.code, len(studio.tasks)) == (2, 0, 1), (first, second)


def test_a_batch_mixes_models_and_edits(flux):
    """In the sandbox: text, an edit, two references, no seed, a mask; made once, whatever the files are called."""
    mixed = [
        {"prompt": "a house", "model": "pro"},
        {"prompt": "make it winter", "model": "kontext", "image": "fox.png"},
        {"prompt": "both", "model": "flux-2-pro", "image": ["fox.png", "mask.png"]},
        {"prompt": "a fox", "model": "flux-3", "count": 2},
        {"prompt": "a garden", "model": "flux-fill-pro", "image": "fox.png", "mask": "mask.png"},
    ]
    batch = ("generate", "-b", "rows.jsonl", "-p", "bfl", "--sandbox", "-o", "out/", "--json")
    rows(*mixed)

    first = flux(*batch, "--max-cost", "1")
    shutil.move("fox.png", "moved.png")
    rows(*(json.loads(json.dumps(row).replace("fox.png", "./moved.png")) for row in reversed(mixed)))
    second = flux(*batch, "--resume")

    assert (first.code, second.code) == (0, 0), (first, second)
    assert len(list(Path("out").iterdir())) == 6
    costs = {job["model"]: (job["estimate"]["amount"], job["cost"]["amount"]) for job in first.objects if "id" in job}
    assert len(costs) == 5
    assert all(cost <= estimate + 1e-9 for estimate, cost in costs.values()), costs
    assert {job["id"] for job in second.objects if "id" in job} <= {job["id"] for job in first.objects if "id" in job}
