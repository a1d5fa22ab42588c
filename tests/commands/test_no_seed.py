"""Models without a seed: none is drawn, claimed, or written into names and images."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from flux_cli.images.embed import read
from flux_cli.providers import apiframe, runware
from flux_cli.runs import plan as orders
from flux_cli.sandbox.wire import Call, reply
from tests.commands.editing import HOST, Studio

THREE = ("-p", "runware", "-m", "flux-3")


@pytest.fixture(autouse=True)
def studio(host, monkeypatch) -> Studio:
    monkeypatch.setattr(runware, "PROVIDER", HOST)
    host.script = Studio(host.root)
    return host.script


def test_files_are_named_by_the_id_and_nothing_claims_a_seed(flux, studio):
    done = flux("generate", "a red fox", *THREE, "--json")

    assert done.code == 0, done
    job = done.object
    (image,) = job["images"]
    assert Path(image["path"]).name == f"a-red-fox-{job['id']}.png"
    assert (job["seed"], image["seed"]) == (None, None)
    assert "seed" not in studio.tasks[0]
    assert read(Path(image["path"])).seed is None
    assert "seed" not in flux("status", "@1", "--offline").out


def test_a_seed_that_the_host_reports_is_not_claimed_either(flux, studio):
    """It cannot be asked for again."""
    studio.more = {"seed": 12345}

    done = flux("generate", "a red fox", *THREE, "--json")

    assert "12345" not in done.out
    assert b"12345" not in Path(done.object["images"][0]["path"]).read_bytes()


def test_a_template_has_the_id_in_place_of_a_seed(flux):
    done = flux("generate", "a red fox", *THREE, "-n", "2", "-o", "{seed}-{index}.{ext}", "--json")

    names = {Path(image["path"]).name: job["id"] for job in done.objects for image in job["images"]}
    assert sorted(name.partition("-")[2] for name in names) == ["1.png", "2.png"]
    assert all(name.startswith(f"{own}-") for name, own in names.items())


def test_several_images_are_told_apart_and_completed_by_resume(flux, studio, host):
    """Three jobs, the second of which finds no credits: --resume buys the two that are missing."""
    Path("rows.jsonl").write_text('{"prompt": "a fox", "count": 3}\n')
    batch = ("generate", "-b", "rows.jsonl", *THREE, "-o", "out/", "-j", "1")
    submits: list[Call] = []

    def refuse_second(call):
        submits.extend([call] if b"imageInference" in call.body and b"getResponse" not in call.body else [])
        if len(submits) == 2 and call is submits[1]:
            return reply(402, {"errors": [{"code": "insufficientCredits", "message": "no"}]})
        return studio(call)

    host.script = refuse_second
    first = flux(*batch)
    assert (first.code, len(studio.tasks)) == (9, 1), first
    host.script = studio

    second = flux(*batch, "--resume")

    assert second.code == 0, second
    assert len(studio.tasks) == 3
    assert len({path.name for path in Path("out").iterdir()}) == 3


def test_a_typed_seed_is_refused_and_a_configured_one_left_out(flux, host, config):
    refused = flux("generate", "a fox", *THREE, "-s", "7")
    assert (refused.code, host.requests) == (2, [])
    assert "runware has no --seed for flux-3-image" in refused.err
    Path("rows.jsonl").write_text('{"prompt": "a fox", "seed": 7}\n')
    assert flux("generate", "-b", "rows.jsonl", *THREE).code == 2

    config("[generate]\nseed = 7\n")
    done = flux("generate", "a fox", *THREE, "--json")

    assert (done.code, done.object["skipped"], done.object["seed"]) == (0, ["seed"], None)


def test_like_neither_takes_a_seed_along_nor_misses_one(flux, studio):
    flux("generate", "a fox", "-p", "runware", "-m", "flux-2-pro", "-s", "7", "-o", "seeded.png")
    flux("generate", "a fox", *THREE, "-o", "three.png")

    again = flux("generate", "--like", "three.png", "--no-wait", "--json")
    without = flux("generate", "--like", "seeded.png", "-m", "flux-3", "--no-wait", "--json")
    with_one = flux("generate", "--like", "three.png", "-m", "flux-2-pro", "--no-wait", "--json")

    assert (again.object["seed"], again.object["skipped"]) == (None, [])
    assert (without.object["seed"], without.object["skipped"]) == (None, ["seed"])
    assert with_one.object["seed"] is not None


def test_the_command_in_a_gallery_has_no_seed(flux):
    done = flux("generate", "a fox", *THREE, "--gallery", "index.html")

    assert done.code == 0, done
    page = Path("index.html").read_text()
    assert "flux generate -p runware -m flux-3-image &#x27;a fox&#x27;" in page
    assert " -s " not in page


@pytest.mark.parametrize("first", ["runware", "apiframe"])
def test_a_fallback_between_hosts_that_take_a_seed_and_that_do_not(flux, config, monkeypatch, first):
    """The configured seed goes to the one that takes it, and to no other."""
    pro = apiframe.PROVIDER.models["flux-1.1-pro"]
    frame = replace(apiframe.PROVIDER, models={"flux-3-image": replace(pro, name="flux-3-image")})
    monkeypatch.setattr(apiframe, "PROVIDER", frame)
    config("[generate]\nseed = 7\n")
    second = "apiframe" if first == "runware" else "runware"

    done = flux("generate", "a fox", "-p", first, "--fallback", second, "-m", "flux-3", "--dry-run", "--json")
    assert done.code == 0, done
    text = json.dumps(done.object["requests"])
    assert ('"seed": 7' in text) == (first == "apiframe")

    requests = {
        name: orders.GenerateRequest(provider=provider, model=provider.models["flux-3-image"], seed=seed)
        for name, provider, seed in (("runware", HOST, None), ("apiframe", frame, 7))
    }
    context = orders.RunContext(
        run="r",
        new_id=lambda: "i",
        new_handle=lambda: "h",
        new_seed=lambda: 99,
        now=0.0,
        sandbox=False,
        owner="here:1",
    )
    (planned,) = orders.plan(replace(requests[first], fallback=requests[second]), context)
    seeds = {planned.job.provider: planned.job.seed, **{one.job.provider: one.job.seed for one in planned.fallbacks}}
    assert seeds == {"runware": None, "apiframe": 7}
