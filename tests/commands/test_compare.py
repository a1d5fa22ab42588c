"""Comparing: ``-m`` and ``-p`` given more than once, with one seed for all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flux_cli.images.embed import read


@pytest.fixture(autouse=True)
def sandbox(monkeypatch) -> None:
    monkeypatch.setenv("FLUX_SANDBOX", "1")


def variants(jobs: list[dict]) -> list[tuple[str, str]]:
    """Return the model and provider of each job, sorted."""
    return sorted((job["model"], job["provider"]) for job in jobs)


def test_there_is_a_job_for_each_pair_with_one_seed_and_a_name_of_its_own(flux):
    done = flux("generate", "a fox", "-m", "ultra", "-m", "flux-2-pro", "-p", "runware", "-p", "bfl", "--json")

    assert done.code == 0, done
    ultra, pro = "flux-1.1-pro-ultra", "flux-2-pro"
    assert variants(done.objects) == [(ultra, "bfl"), (ultra, "runware"), (pro, "bfl"), (pro, "runware")]
    (seed,) = {job["seed"] for job in done.objects}
    assert len({job["run"] for job in done.objects}) == 1
    for job in done.objects:
        path = Path(job["images"][0]["path"])
        assert path.name == f"a-fox-{seed}-{job['model']}-{job['provider']}.jpg"
        assert read(path).provider == job["provider"]


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        (("-m", "ultra", "-m", "pro"), "a-fox-7-flux-1.1-pro.jpg"),
        (("-p", "runware", "-p", "bfl"), "a-fox-7-bfl.jpg"),
        (("-p", "runware", "-p", "bfl", "-o", "out/"), "out/a-fox-7-bfl.jpg"),
        (("-p", "runware", "-p", "bfl", "-o", "fox.jpg"), "fox-2.jpg"),
        (("-m", "ultra", "-m", "pro", "-n", "2", "-o", "fox.jpg"), "fox-4.jpg"),
        (("-m", "ultra", "-m", "pro", "-o", "{model}/{index}.{ext}"), "flux-1.1-pro/2.jpg"),
    ],
)
def test_images_are_named_by_what_differs(flux, typed, name):
    done = flux("generate", "a fox", "-s", "7", *typed)

    assert (done.code, name in done.lines) == (0, True), done


def test_an_existing_folder_names_them_alike(flux):
    Path("out").mkdir()

    done = flux("generate", "a fox", "-s", "7", "-m", "ultra", "-m", "pro", "-o", "out")

    assert sorted(done.lines) == ["out/a-fox-7-flux-1.1-pro-ultra.jpg", "out/a-fox-7-flux-1.1-pro.jpg"]


def test_several_images_each_have_the_seeds_of_the_others(flux):
    done = flux("generate", "a fox", "-s", "7", "-n", "2", "-m", "ultra", "-m", "pro", "-p", "runflow", "--json")

    seeds = [(job["model"], image["seed"]) for job in done.objects for image in job["images"]]
    assert sorted(seeds) == [(model, seed) for model in ("flux-1.1-pro", "flux-1.1-pro-ultra") for seed in (7, 8)]


def test_a_pair_that_does_not_exist_is_left_out_with_a_note(flux):
    done = flux("generate", "a fox", "-m", "flux-schnell", "-m", "ultra", "-p", "runware", "-p", "bfl", "--json")

    assert variants(done.objects) == [
        ("flux-1.1-pro-ultra", "bfl"),
        ("flux-1.1-pro-ultra", "runware"),
        ("flux-schnell", "runware"),
    ]
    assert "the provider does not host it: flux-schnell at bfl" in done.err


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (("-m", "ultra", "-m", "flux-1.1-pro-ultra"), "-m flux-1.1-pro-ultra is given twice"),
        (("-p", "bfl", "-p", "bfl"), "-p bfl is given twice"),
        (("-m", "ultra,flux-2-pro"), "hint: `-m ultra -m flux-2-pro` compares them"),
        (("-p", "bfl, runware"), "hint: `-p bfl -p runware` compares them"),
        (("-p", "bfl", "-p", "nope"), "there is no provider 'nope'"),
        (("-m", "ultra", "-m", "ulta"), "there is no model 'ulta'"),
        (("-m", "ultra", "-m", "flux-schnell", "-p", "bfl"), "bfl does not host flux-schnell"),
        (("-m", "ultra", "-m", "flux-schnell", "-p", "bfl", "-p", "apiframe"), "none of bfl and apiframe hosts"),
        (("-m", "flux-schnell", "-m", "flux-2-dev", "-p", "runware", "-p", "bfl"), "bfl hosts none of flux-schnell"),
        (("-m", "ultra", "-m", "pro", "--fallback", "bfl"), "--fallback takes one provider and one model"),
        (("-m", "ultra", "-m", "pro", "-o", "-"), "-o - takes one image, not 2"),
        (("-m", "ultra", "-m", "flux-3", "-s", "7"), "seed"),
        (("-m", "ultra", "-m", "flux-2-pro", "--raw"), "--raw"),
        (("-m", "ultra", "-m", "flux-2-pro", "--max-cost", "0.07"), "these 2 jobs are expected to cost $0.09"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_sent(flux, typed, message):
    done = flux("generate", "a fox", *typed)

    assert (done.code in {2, 6}, done.out, message in done.err) == (True, "", True), done
    assert flux("status", "--json").objects == []


def test_an_error_in_the_config_is_not_taken_for_a_missing_model(flux, monkeypatch):
    monkeypatch.setenv("FLUX_PREVIEW", "blocks")

    done = flux("generate", "a fox", "-m", "ultra", "-m", "pro", "-p", "bfl", "-p", "runware")

    assert (done.code, "FLUX_PREVIEW takes auto or never" in done.err) == (2, True), done


def test_a_model_without_seeds_is_compared_with_one_that_has_them(flux):
    done = flux("generate", "a fox", "-m", "ultra", "-m", "flux-3", "--json")

    assert sorted((job["model"], job["seed"] is None) for job in done.objects) == [
        ("flux-1.1-pro-ultra", False),
        ("flux-3-image", True),
    ]


def test_the_provider_of_a_preset_or_an_earlier_job_is_the_one_that_compares(flux, config):
    config('[presets.p]\nprovider = "runflow"\n')
    earlier = flux("generate", "a heron", "-p", "bfl", "--json").object

    preset = flux("generate", "a fox", "--preset", "p", "-m", "ultra", "-m", "pro", "--json")
    like = flux("generate", "--like", earlier["id"], "-m", "ultra", "-m", "pro", "--json")

    assert {job["provider"] for job in preset.objects} == {"runflow"}
    assert {(job["provider"], job["seed"], job["prompt"]) for job in like.objects} == {
        ("bfl", earlier["seed"], "a heron")
    }


def test_a_configured_fallback_is_not_used(flux, config):
    """Each image has to come from the provider that is compared."""
    config('[generate]\nfallback = "runflow"\n')

    alone = flux("generate", "a fox sandbox:credits", "-p", "apiframe")
    compared = flux("generate", "a fox sandbox:credits", "-p", "apiframe", "-p", "bfl")

    assert "runflow" in alone.err
    assert (compared.code, "runflow" in compared.err) == (6, False)


def test_a_dry_run_ends_with_what_all_of_them_cost(flux):
    both = flux("generate", "a fox", "-m", "ultra", "-m", "flux-2-pro", "--dry-run")

    assert [line.partition(":")[0] for line in both.lines[2:]] == [
        "# runware flux-1.1-pro-ultra",
        "# runware flux-2-pro",
        "# estimate",
    ]
    assert both.lines[-1] == "# estimate: 2 jobs, $0.09"


def test_once_buys_all_of_them_once(flux):
    line = ("generate", "a fox", "-m", "ultra", "-m", "pro", "--once", "cover")

    first, again = flux(*line), flux(*line)
    other = flux("generate", "a fox", "-m", "ultra", "-m", "flux-2-pro", "--once", "cover")

    assert (first.code, sorted(first.lines)) == (0, sorted(again.lines))
    assert (other.code, len(flux("status", "--json").objects)) == (2, 2)


def test_those_of_no_wait_are_named_alike_by_result(flux):
    assert flux("generate", "a fox", "-s", "7", "-m", "ultra", "-m", "pro", "--no-wait").code == 0

    done = flux("result", "--wait", "@1")

    assert sorted(done.lines) == ["a-fox-7-flux-1.1-pro-ultra.jpg", "a-fox-7-flux-1.1-pro.jpg"]


def test_the_gallery_shows_them_side_by_side(flux):
    done = flux("generate", "a fox", "-m", "ultra", "-m", "flux-2-pro", "--gallery", "g.html")

    page = Path("g.html").read_text("utf-8")
    assert (done.code, page.count("<h2")) == (0, 1)
    assert "flux-1.1-pro-ultra · runware" in page
    assert "flux-2-pro · runware" in page


# Batches


def test_each_row_is_made_by_each_with_one_seed_a_row(flux):
    Path("p.csv").write_text("prompt,model,seed\na fox,,\na hare,flux-3,\nan owl,,9\n", "utf-8")

    done = flux("generate", "--batch", "p.csv", "-m", "ultra", "-m", "flux-2-pro", "-o", "out/", "--json")

    assert done.code == 0, done
    found = sorted((job["row"], job["model"]) for job in done.objects)
    both = ("flux-1.1-pro-ultra", "flux-2-pro")
    assert found == [*((1, one) for one in both), (2, "flux-3-image"), *((3, one) for one in both)]
    seeds = {row: {job["seed"] for job in done.objects if job["row"] == row} for row in (1, 2, 3)}
    assert (len(seeds[1]), seeds[2], seeds[3]) == (1, {None}, {9})
    assert "out/an-owl-9-flux-2-pro.jpg" in {str(path) for path in Path("out").iterdir()}


def test_a_batch_goes_on_with_what_is_missing_and_with_the_seed_of_the_row(flux):
    Path("p.txt").write_text("a fox\n", "utf-8")
    first = flux("generate", "-b", "p.txt", "-m", "ultra", "-m", "flux-2-pro", "--json")

    refused = flux("generate", "-b", "p.txt", "-m", "ultra", "-m", "flux-2-pro")
    more = flux("generate", "-b", "p.txt", "-m", "ultra", "-m", "flux-2-pro", "-m", "pro", "--resume", "--json")

    assert (refused.code, "1 of 1 rows of p.txt were made before" in refused.err) == (2, True)
    (seed,) = {job["seed"] for job in first.objects}
    assert (more.object["model"], more.object["seed"]) == ("flux-1.1-pro", seed)
    assert f"a-fox-{seed}-flux-1.1-pro.jpg" in more.object["images"][0]["path"]


def test_rows_made_before_are_counted_once_however_many_models_made_them(flux):
    line = ("generate", "-b", "p.txt", "-m", "ultra", "-m", "flux-2-pro")
    Path("p.txt").write_text("a fox\n", "utf-8")
    assert flux(*line).code == 0
    Path("p.txt").write_text("a fox\nan owl\n", "utf-8")

    done = flux(*line, "--resume")

    assert "2 of 2 jobs done, 1 row made before, $0.09" in done.err


def test_rows_to_retry_name_their_provider(flux):
    Path("p.txt").write_text("a fox sandbox:rate-limit\nan owl\n", "utf-8")

    done = flux("generate", "-b", "p.txt", "-p", "runware", "-p", "bfl")

    rows = [json.loads(line) for line in Path("p.txt.failed.jsonl").read_text("utf-8").splitlines()]
    assert (done.code, len(done.lines)) == (9, 2)
    assert [(row["prompt"], row["provider"]) for row in rows] == [
        ("a fox sandbox:rate-limit", "runware"),
        ("a fox sandbox:rate-limit", "bfl"),
    ]


def test_a_row_that_fails_names_the_model(flux):
    Path("p.txt").write_text("a fox sandbox:moderated\n", "utf-8")

    done = flux("generate", "-b", "p.txt", "-m", "ultra", "-m", "flux-2-pro")

    assert "error: p.txt:1 (flux-1.1-pro-ultra): " in done.err
    assert "error: p.txt:1 (flux-2-pro): " in done.err


def test_one_name_for_several_images_of_a_row_is_refused(flux):
    Path("p.csv").write_text("prompt,output\na fox,f.jpg\n", "utf-8")

    done = flux("generate", "-b", "p.csv", "-m", "ultra", "-m", "pro")

    assert (done.code, "f.jpg is one name for images of several models or providers" in done.err) == (2, True)


PAIR = ("-m", "ultra", "-m", "pro")


@pytest.mark.parametrize(
    ("earlier", "typed", "made"),
    [
        (("-m", "ultra"), PAIR, ["flux-1.1-pro"]),
        (("-m", "flux-1.1-pro-ultra"), (*PAIR, "-p", "runware"), ["flux-1.1-pro"]),
        (("-p", "bfl"), ("-p", "bfl", "-p", "runware", "-m", "ultra"), ["flux-1.1-pro-ultra"]),
        (PAIR, ("-m", "flux-1.1-pro", "-m", "ULTRA"), []),
        (PAIR, ("-m", "pro"), []),
        (PAIR, (), []),
        (PAIR, ("-p", "runware"), []),
        (PAIR, ("-m", "flux-2-pro"), ["flux-2-pro"]),
        (PAIR, ("-m", "flux-2-pro", "-m", "pro"), ["flux-2-pro"]),
        (PAIR, (*PAIR, "-p", "runware", "-p", "bfl"), ["flux-1.1-pro", "flux-1.1-pro-ultra"]),
        ((*PAIR, "-p", "runware", "-p", "bfl"), PAIR, []),
        ((*PAIR, "-p", "runware", "-p", "bfl"), ("-p", "bfl", "-m", "ultra"), []),
        (("-p", "runware", "-p", "bfl"), ("-p", "bfl", "-p", "runflow", "-m", "ultra"), ["flux-1.1-pro-ultra"]),
    ],
)
def test_resume_buys_nothing_again_when_models_and_providers_are_added_or_removed(flux, earlier, typed, made):
    Path("p.txt").write_text("a fox\n", "utf-8")
    assert flux("generate", "-b", "p.txt", *earlier).code == 0

    done = flux("generate", "-b", "p.txt", *typed, "--resume", "--json")

    assert (done.code, sorted(job["model"] for job in done.objects)) == (0, made), done
    assert "nothing left to do" in flux("generate", "-b", "p.txt", *typed, "--resume").err


def test_another_default_provider_makes_no_image_again(flux, monkeypatch):
    Path("p.txt").write_text("a fox\n", "utf-8")
    flux("generate", "-b", "p.txt", *PAIR)
    monkeypatch.setenv("FLUX_DEFAULT_PROVIDER", "bfl")

    assert "nothing left to do" in flux("generate", "-b", "p.txt", *PAIR, "--resume").err


def test_again_forgets_only_what_it_makes_again(flux):
    Path("p.txt").write_text("a fox\n", "utf-8")
    flux("generate", "-b", "p.txt", *PAIR)

    again = flux("generate", "-b", "p.txt", "-m", "pro", "--again", "--json")
    more = flux("generate", "-b", "p.txt", *PAIR, "-m", "flux-2-pro", "--resume", "--json")

    assert (again.object["model"], more.object["model"]) == ("flux-1.1-pro", "flux-2-pro")


def test_rows_are_counted_as_they_stand_in_the_file(flux):
    Path("p.csv").write_text("prompt,size\na fox,\nan owl,1x1\na hare,1x1\n", "utf-8")
    wrong = flux("generate", "-b", "p.csv", *PAIR)
    Path("p.csv").write_text("prompt\na fox\nan owl\n", "utf-8")
    flux("generate", "-b", "p.csv", *PAIR)

    again = flux("generate", "-b", "p.csv", *PAIR, "--resume")

    assert (wrong.code, "p.csv:3 (and 1 more): " in wrong.err, "2 rows of p.csv have errors" in wrong.err) == (
        2,
        True,
        True,
    ), wrong
    assert "nothing left to do, 2 rows made before" in again.err


def test_a_row_that_is_never_sent_names_its_maker(flux):
    Path("p.txt").write_text("a fox sandbox:credits\nan owl\n", "utf-8")

    done = flux("generate", "-b", "p.txt", *PAIR, "-j", "1", "--json")

    assert (done.code, [one["error"]["code"] for one in done.objects]) == (6, ["payment"] * 4)
    assert sorted((one["row"], one["provider"], one["model"]) for one in done.objects) == [
        (row, "runware", model) for row in (1, 2) for model in ("flux-1.1-pro", "flux-1.1-pro-ultra")
    ]
