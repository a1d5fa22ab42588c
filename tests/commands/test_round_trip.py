"""Lines of ``--json`` as rows of a batch: jobs are made again, and a dry run is edited and run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flux_cli import providers
from flux_cli.providers.options import InvalidValue
from flux_cli.runs.job_lines import IGNORED
from tests.commands.editing import FOX, MASK
from tests.json_lines import schema
from tests.providers.cells import PICTURE, list_cells, list_needed

RUNWARE = ("-p", "runware", "--sandbox")


def lines(*objects: dict) -> str:
    return "".join(f"{json.dumps(one)}\n" for one in objects)


def same(job: dict) -> list:
    """Return what makes a job the same as another."""
    return [job[name] for name in ("provider", "model", "prompt", "seed", "count", "parameters")]


def ask(model, name, value) -> dict | None:
    """Return a row with an option and what it requires; ``None`` for a value that the option does not take."""
    value = value[0] if name == "mask" and isinstance(value, list) else value
    try:
        model.options[name].check(value)
    except InvalidValue:
        return None
    found = {"prompt": "a fox", "model": model.name, **list_needed(model), name: value}
    if name in {"mask", "strength"} or model.options[name].needs_image(value):
        found.setdefault("image", PICTURE)
    if "image" in found and not model.options["image"].links:
        found["image"] = "fox.png"
    return found


@pytest.mark.parametrize("provider", providers.NAMES)
def test_a_dry_run_that_is_fed_back_plans_the_same_jobs(flux, provider):
    """Every option of every model of every provider: the same model, seed, count, parameters, price and requests."""
    Path("fox.png").write_bytes(FOX)
    asked = [row for case in list_cells(providers.load(provider)) if (row := ask(*case)) is not None]
    Path("p.jsonl").write_text(lines(*asked))

    first = flux("generate", "-b", "p.jsonl", "-p", provider, "--sandbox", "--dry-run", "--json")
    again = flux("generate", "-b", "-", "--sandbox", "--dry-run", "--json", stdin=first.out)

    assert (first.code, again.code) == (0, 0), first.out + again.out
    assert len(again.object["rows"]) == len(first.object["rows"]) > len(providers.load(provider).models)
    assert [*map(same, again.object["rows"])] == [*map(same, first.object["rows"])]
    assert again.object["estimate"] == first.object["estimate"]


@pytest.mark.parametrize("provider", providers.NAMES)
def test_jobs_are_made_again_from_their_lines(flux, provider):
    """By `status`, `generate` and `result` alike: the same parameters and seeds, and the same images byte for byte."""
    words = ("--no-embed", "--sandbox", "--json")  # metadata would name the job
    made = flux("generate", "a fox", "-n", "3", "-o", "a/", "-p", provider, *words)

    told = flux("status", "@1", "--json", "--sandbox")
    fetched = flux("result", "@1", "--json", "--sandbox")
    for number, line in enumerate((made, told, fetched)):
        again = flux("generate", "-b", "-", "-o", f"b{number}/", *words, stdin=line.out)

        assert again.code == 0, again
        assert sorted(map(same, again.objects)) == sorted(map(same, made.objects))
        assert sum(job["count"] for job in again.objects) == 3
        assert contents(again.objects) == contents(made.objects)
    assert len(contents(made.objects)) == 3


def contents(jobs: list[dict]) -> set[bytes]:
    return {Path(image["path"]).read_bytes() for job in jobs for image in job["images"]}


def test_every_kind_of_option_is_kept(flux):
    """Input images, a mask, fields of the provider, labels, a switch that is off, what to avoid, a webhook."""
    Path("fox.png").write_bytes(FOX)
    Path("mask.png").write_bytes(MASK)
    runs = [
        ("-p", "runware", "-m", "flux-fill-pro", "-i", "fox.png", "--mask", "mask.png", "-P", "outputQuality=50"),
        (
            "-p",
            "runware",
            "-m",
            "flux-dev",
            "-i",
            "fox.png",
            "--strength",
            "0.5",
            "--negative",
            "cats",
            "--steps",
            "20",
        ),
        ("-p", "runcomfy", "--no-raw"),
        ("-p", "runflow", "--metadata", "shelf=3", "--metadata", "team=art", "--webhook", "https://you.example/h"),
        (
            "-p",
            "bfl",
            "-m",
            "flux-2-pro",
            "-i",
            "fox.png",
            "-i",
            "mask.png",
            "--size",
            "512x768",
            "--safety-tolerance",
            "1",
        ),
    ]
    for words in runs:
        done = flux("generate", "a fox", *words, "--sandbox", "--json", "--no-wait")
        assert done.code == 0, done
    flux("result", "--all", "--wait", "--sandbox")

    saved = flux("status", "--json", "--sandbox")
    Path("saved.jsonl").write_text(saved.out)
    again = flux("generate", "-b", "saved.jsonl", "--sandbox", "--json", "-o", "again/")

    assert again.code == 0, again
    assert len(again.objects) == len(runs)
    assert sorted(map(repr, map(same, again.objects))) == sorted(map(repr, map(same, saved.objects)))
    assert flux("generate", "-b", "saved.jsonl", "--sandbox", "-o", "again/").code == 2  # they are rows like any other


def test_the_config_adds_nothing_to_a_job(flux, config):
    """The config adds none to its row in the file of rows to retry either, but does to any other row."""
    made = flux("generate", "a fox sandbox:fail", *RUNWARE, "-s", "7", "--json").object
    config('[generate]\nraw = true\ncount = 3\naspect_ratio = "1:1"\nseed = 9\n')
    Path("p.jsonl").write_text(lines(made, {"prompt": "a fox sandbox:fail", "provider": "runware"}))

    first = flux("generate", "-b", "p.jsonl", "--sandbox", "--json")
    retried = flux("generate", "-b", "p.jsonl.failed.jsonl", "--sandbox", "--json")

    for done in (first, retried):
        again, other = sorted(done.objects, key=lambda job: job["row"])
        assert same(again) == same(made)
        assert (other["parameters"]["aspect_ratio"], other["seed"], other["count"]) == ("1:1", 9, 3)


def job(flux, *words: str) -> dict:
    return flux("generate", "a fox", *RUNWARE, "-s", "7", "--json", "--no-wait", *words).object


def test_a_line_can_be_edited(flux):
    """An option next to `parameters` replaces the one in it, null removes it, and a typo is an error."""
    made = job(flux, "-a", "1:1", "--format", "png")

    def plan(**edits) -> dict:
        done = flux("generate", "-b", "-", "--sandbox", "--dry-run", "--json", stdin=lines({**made, **edits}))
        return done.object["rows"][0] if done.code == 0 else done.object["error"]

    assert plan(prompt="an owl")["prompt"] == "an owl"
    assert plan(**{"aspect-ratio": "16:9"})["parameters"] == {"aspect_ratio": "16:9", "format": "png"}
    assert plan(format=None)["parameters"] == {"aspect_ratio": "1:1"}
    assert plan(size="2048x2048")["parameters"] == {"size": "2048x2048", "format": "png"}
    assert plan(count=2, seed=9)["seed"] == 9
    assert plan(parameters={})["parameters"] == {"aspect_ratio": "16:9"}
    assert plan(sead=9)["hint"] == "did you mean seed?"
    assert plan(parameters={"sise": "1"})["message"] == "stdin:1: there is no option 'sise' in parameters"
    assert plan(parameters={"sise": "1"})["hint"] == "did you mean size?"


def test_a_line_from_before_the_count_was_told_makes_as_many_images(flux):
    made = flux("generate", "a fox", *RUNWARE, "-n", "3", "--json").object
    del made["count"]

    assert flux("generate", "-b", "-", *RUNWARE, "--json", stdin=lines(made)).object["count"] == 3


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ({"model": None, "prompt": ""}, "this job was started elsewhere, and its model is not known"),
        ({"prompt": ""}, "the prompt of this job is not known"),
        ({"prompt": None}, "the prompt of this job is not known"),
        ({"parameters": {"image": "-"}}, "the image of this job came from stdin, and is not kept"),
        ({"parameters": {"image": ["a.png", "-"]}}, "the image of this job came from stdin, and is not kept"),
        ({"parameters": {"image": "a.png", "mask": "-"}}, "the mask of this job came from stdin, and is not kept"),
        (
            {"model": "flux-2-pro", "parameters": {"image": "/gone.png"}},
            "cannot read the image /gone.png: No such file or directory",
        ),
        ({"parameters": []}, "parameters takes a table of options"),
        ({"model": "mine"}, "there is no model 'mine'"),
        ({"provider": "nowhere"}, "no provider"),
        ({"version": 2}, "this line has version 2 of the format, and flux reads version 1"),
        ({"version": True, "parameters": {"seed": 3}}, "there is no option 'seed' in parameters"),
    ],
)
def test_what_cannot_be_made_again_is_an_error_before_anything_is_sent(flux, edit, said):
    """Its line and the reason are named, and the lines around it are not made either."""
    made = job(flux)

    done = flux("generate", "-b", "-", "--sandbox", stdin=lines(made, {**made, **edit}, made))

    assert (done.code, done.out) == (2, "")
    assert "flux: error: stdin:2: " in done.err
    assert said in done.err
    assert len(flux("status", "--sandbox", "--json").objects) == 1


def test_an_error_without_a_job_cannot_be_made_again(flux):
    failure = flux("generate", "a fox", "-a", "16:10", *RUNWARE, "--json")

    done = flux("generate", "-b", "-", "--sandbox", stdin=failure.out)

    assert done.code == 2
    assert "stdin:1: this line is an error without a job: runware: --aspect-ratio takes" in done.err


def test_an_input_image_that_has_changed_is_told(flux):
    Path("fox.png").write_bytes(FOX)
    words = ("-p", "runware", "--sandbox", "-m", "flux-fill-pro", "--mask", "fox.png", "-i", "fox.png")
    made = flux("generate", "a fox", *words, "--json", "--no-wait")

    same_file = flux("generate", "-b", "-", "--sandbox", "--dry-run", stdin=made.out)
    Path("fox.png").write_bytes(MASK)
    changed = flux("generate", "-b", "-", "--sandbox", "--dry-run", stdin=made.out)

    note = f"flux: note: {Path('fox.png').absolute()} has changed since the job of stdin:1 was made from it\n"
    assert (same_file.code, changed.code) == (0, 0)
    assert (same_file.err.count(note), changed.err.count(note)) == (0, 1)


def test_a_job_and_another_one_to_start_from_do_not_go_together(flux):
    made = job(flux)

    done = flux("generate", "-b", "-", "--sandbox", "--like", made["id"], stdin=lines(made))

    assert done.code == 2
    assert "stdin:1: the line of a job has all of its options" in done.err


def test_what_is_ignored_is_the_rest_of_a_job():
    """A key that is added to a job must be read from its line, or listed as ignored."""
    definitions = schema()["$defs"]
    taken = {"prompt", "provider", "model", "seed", "count", "parameters"}

    assert definitions["job"]["properties"].keys() == IGNORED | taken
    assert definitions["planned"]["properties"].keys() <= IGNORED | taken


@pytest.mark.parametrize("words", [(), ("-n", "3"), ("-n", "3", "-p", "runflow")])
def test_a_dry_run_is_carried_out_with_the_seeds_that_it_shows(flux, words):
    """As one object, as lines, and from a file."""
    plan = flux("generate", "a fox", *RUNWARE, *words, "--dry-run", "--json")
    rows = plan.object["rows"]
    Path("plan.jsonl").write_text(lines(*rows))

    whole = flux("generate", "-b", "-", "--sandbox", "--json", stdin=plan.out)
    by_line = flux("generate", "-b", "-", "--sandbox", "--json", stdin=lines(*rows))
    file = flux("generate", "-b", "plan.jsonl", "--sandbox", "--json")

    for done in (whole, by_line, file):
        assert done.code == 0, done
        assert sorted(map(same, done.objects)) == sorted(map(same, rows))


def test_the_rows_of_a_dry_run_name_their_place(flux):
    plan = flux("generate", "a fox", "--sandbox", "-n", "2", "-p", "runflow", "--dry-run", "--json").object
    plan["rows"][1]["sead"] = 7
    plan["rows"].append(7)

    done = flux("generate", "-b", "-", "--sandbox", stdin=lines(plan))

    assert done.code == 2
    assert "stdin:1 (row 2): there is no option 'sead'" in done.err
    assert "stdin:1 (row 3): a row is a JSON object" in done.err


def test_a_structured_prompt_stays_a_prompt(flux):
    done = flux("generate", "-b", "-", *RUNWARE, "--json", stdin='{"scene": "a fox", "style": "engraved"}\nan owl\n')

    assert {one["prompt"] for one in done.objects} == {'{"scene": "a fox", "style": "engraved"}', "an owl"}


def test_a_template_fills_the_prompts_of_a_batch(flux):
    """They are the prompts of its rows from then on: to resume, in `--json`, in names, and in rows to retry."""
    Path("rows.csv").write_text("animal,place,seed\nfox,Rome,7\nowl sandbox:fail,Paris,8\n")
    words = ("generate", "a {animal} in {place}", "-b", "rows.csv", *RUNWARE)

    done = flux(*words, "--json")
    again = flux(*words, "--json", "--resume")
    other = flux("generate", "the {animal} in {place}", "-b", "rows.csv", *RUNWARE, "--json", "--resume", "--dry-run")

    assert sorted(one["prompt"] for one in done.objects) == ["a fox in Rome", "a owl sandbox:fail in Paris"]
    assert Path("a-fox-in-rome-7.jpg").exists()
    assert [one["prompt"] for one in again.objects] == ["a owl sandbox:fail in Paris"]
    assert len(other.object["rows"]) == 2
    assert json.loads(Path("rows.csv.failed.jsonl").read_text()) == {"prompt": "a owl sandbox:fail in Paris", "seed": 8}
    assert "a owl sandbox:fail in Paris" in flux("generate", "-b", "rows.csv.failed.jsonl", *RUNWARE, "--json").out


@pytest.mark.parametrize(
    ("stdin", "prompts"),
    [
        ("a fox\nan owl\n", ["a fox, in winter", "an owl, in winter"]),
        ('{"prompt": "a fox"}\n', ["a fox, in winter"]),
    ],
)
def test_a_template_fills_what_comes_on_stdin(flux, stdin, prompts):
    done = flux("generate", "{prompt}, in winter", "-b", "-", *RUNWARE, "--json", stdin=stdin)

    assert sorted(one["prompt"] for one in done.objects) == prompts


def test_a_template_goes_over_the_prompts_of_jobs(flux):
    """Their options stay; an object on stdin need not have a prompt."""
    made = job(flux, "-a", "1:1")

    winter = flux("generate", "{prompt}, in winter", "-b", "-", "--sandbox", "--json", stdin=lines(made)).object
    rows = flux("generate", "a {animal}", "-b", "-", *RUNWARE, "--json", stdin=lines({"animal": "hen"}))

    assert same(winter) == same({**made, "prompt": "a fox, in winter"})
    assert rows.object["prompt"] == "a hen"


def test_a_prompt_alone_is_no_template(flux):
    assert flux("generate", "a {fox} {", *RUNWARE, "--json").object["prompt"] == "a {fox} {"


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("-", "the prompt of a batch is a template, and not read from stdin"),
        ("", "the prompt is empty"),
        ("a {0}", "{0} in the prompt names no column"),
        ("a fox", "p.txt:1: the prompt leaves out the column prompt"),
    ],
)
def test_what_is_no_template_is_refused_before_anything_is_sent(flux, prompt, said):
    Path("p.txt").write_text("a red fox\n")

    done = flux("generate", prompt, "-b", "p.txt", *RUNWARE)

    assert (done.code, said in done.err) == (2, True), done.err
    assert flux("status", "--sandbox", "--json").out == ""


def test_the_way_on_after_leaving_names_the_template(flux):
    Path("rows.csv").write_text("animal\nfox\n")

    done = flux("generate", "a {animal}", "-b", "rows.csv", *RUNWARE, "--no-wait")

    assert "`flux generate --sandbox --batch rows.csv 'a {animal}' --resume` with the same options" in done.err
