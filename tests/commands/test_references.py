"""How a job is named on the command line, across separate runs of the program."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flux_cli.config.paths import state_path
from flux_cli.jobs import Job
from flux_cli.ledger.ledger import Ledger
from flux_cli.providers import NAMES

PROVIDERS = NAMES


@pytest.mark.parametrize("provider", PROVIDERS)
def test_submit_look_fetch_in_separate_runs(flux, provider):
    """``generate --no-wait`` prints one id; ``status`` and ``result`` take it, and save one image."""
    submitted = flux("generate", "a red fox", "--sandbox", "-p", provider, "--no-wait", "-q")
    (job,) = submitted.lines

    status = flux("status", job, "--sandbox", "--json").object
    result = flux("result", job, "--sandbox", "--wait", "-q")

    assert re.fullmatch(r"[a-z][a-z2-9]{7}", job)
    assert submitted.err == ""
    assert (status["id"], status["status"], status["provider"]) == (job, "queued", provider)
    assert result.code == 0
    (path,) = result.lines
    assert Path(path).is_file()
    assert flux("status", job, "--sandbox", "--json").object["images"][0]["path"] == str(Path(path).absolute())


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_way_to_name_a_job(flux, queued, provider):
    """Id, remote id, provider:id, beginning, end, @1 and the path of its image all stand for the same job."""
    job = queued(provider)
    flux("result", "--wait", job["id"], "--sandbox", "-o", "fox.png" if provider == "runcomfy" else "fox.jpg")
    image = next(Path().glob("fox.*"))
    remote = job["remote_id"]

    names = [job["id"], remote, f"{provider}:{remote}", job["id"][:4], job["id"][-4:], remote[:12], remote[-12:]]
    names += ["@1", str(image), f"./{image}", str(image.absolute())]
    found = {name: flux("status", name, "--sandbox", "--json", "--offline").object["id"] for name in names}

    assert found == dict.fromkeys(names, job["id"])


def test_runs_are_counted_from_the_latest(flux, queued):
    """``@1`` is the latest run with all its jobs, ``@2`` the one before."""
    first = queued("runcomfy", "one")
    run = flux("generate", "two", "--sandbox", "-p", "runcomfy", "-n", "2", "--no-wait", "--json").objects

    latest = flux("status", "@1", "--sandbox", "--json").objects
    before = flux("status", "@2", "--sandbox", "--json").object
    missing = flux("status", "@3", "--sandbox")

    assert {job["id"] for job in latest} == {job["id"] for job in run}
    assert before["id"] == first["id"]
    assert missing.code == 2
    assert "@3" in missing.err


def test_the_sandbox_and_the_world_do_not_mix(flux, host, queued):
    """``@1`` and the list of jobs are those of the world one is in."""
    pretended = queued("runware")
    real = flux("generate", "a red fox", "-p", "runware", "--no-wait", "--json").object

    assert flux("status", "@1", "--json").object["id"] == real["id"]
    assert flux("status", "@1", "--sandbox", "--json").object["id"] == pretended["id"]
    assert [job["id"] for job in flux("status", "--json").objects] == [real["id"]]
    assert [job["id"] for job in flux("status", "--sandbox", "--json").objects] == [pretended["id"]]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_job_made_elsewhere_is_taken_in(flux, queued, home, provider):
    """A provider's id that the ledger does not know is taken with its provider, and then known by an id of ours."""
    job = queued(provider)
    for file in (home / ".local" / "state" / "flux-cli").glob("ledger.sqlite3*"):
        file.unlink()

    alone = flux("status", job["remote_id"], "--sandbox")
    prefixed = flux("result", f"{provider}:{job['remote_id']}", "--wait", "--sandbox", "--json").object
    again = flux("status", job["remote_id"], "-p", provider, "--sandbox", "--json").object

    assert alone.code == 2
    assert "provider:id" in alone.err
    assert prefixed["status"] == "succeeded"
    assert Path(prefixed["images"][0]["path"]).is_file()
    assert (again["id"], again["remote_id"]) == (prefixed["id"], job["remote_id"])
    assert again["model"] in {None, "flux-1.1-pro-ultra"}


@pytest.mark.parametrize("provider", ["runcomfy", "runflow", "apiframe"])
def test_an_id_that_the_provider_does_not_know_is_not_taken_in(flux, provider):
    """Exit 1 with one line and a hint, and the ledger stays empty."""
    done = flux("status", f"{provider}:00000000-0000-4000-8000-000000000000", "--sandbox")

    assert done.code == 1
    assert done.err.startswith("flux: error: ")
    assert "\nhint: " in done.err
    assert flux("status", "--sandbox").out == ""


@pytest.mark.parametrize(
    "reference", ["abc", "zzzz9999", "no/such.png", "@0", "@x", "%", "____", "runware:../../x", ""]
)
def test_a_reference_that_stands_for_nothing(flux, queued, reference):
    """Exit 2, one line and a hint, and nothing is asked."""
    queued("runware")

    done = flux("status", reference, "--sandbox")

    error, hint = done.err.splitlines()
    assert done.code == 2
    assert done.out == ""
    assert error.startswith("flux: error: ")
    assert hint.startswith("hint: ")


def test_a_beginning_that_fits_several_jobs(flux, clock):
    """Is refused with those that fit, rather than guessed."""
    from flux_cli.cli import main
    from flux_cli.runtime import Runtime
    from tests.conftest import Stream

    for end in ("aa", "bb"):
        names = iter([f"runrun{end}", f"foxfox{end}"])
        out = Stream()
        runtime = Runtime(
            stdin=Stream(), stdout=out, stderr=Stream(), clock=clock, new_id=lambda names=names: next(names)
        )
        assert main(["generate", "a fox", "--sandbox", "--no-wait"], runtime) == 0

    done = flux("status", "foxfox", "--sandbox")

    assert done.code == 2
    assert "foxfoxaa" in done.err
    assert "foxfoxbb" in done.err
    assert flux("status", "foxfoxa", "--sandbox", "--json").object["id"] == "foxfoxaa"


@pytest.mark.parametrize(
    ("made", "typed"),
    [
        ({"foxfoxaa": "r-1", "foxfoxbb": "r-2"}, "foxfox"),
        ({"aaaafoxy": "r-1", "bbbbfoxy": "r-2"}, "foxy"),
        ({"aaaaaaaa": "shared-1", "bbbbbbbb": "shared-2"}, "shared"),
        ({"aaaaaaaa": "same", "bbbbbbbb": "same"}, "same"),
        ({f"foxfox{end}": f"r-{end}" for end in ("aa", "bb", "cc", "dd", "ee", "ff", "gg")}, "foxfox"),
    ],
    ids=["beginning", "end", "part of the provider's", "one id at two providers", "many"],
)
def test_what_is_offered_for_a_reference_that_fits_several_jobs_is_accepted(flux, host, made, typed):
    """Each id that the error names stands for its job alone, and no host is asked about any of them."""
    ledger = Ledger(state_path() / "ledger.sqlite3")
    for number, (name, remote) in enumerate(made.items()):
        told = {"model": None, "prompt": "a fox", "created_at": 1.0, "status": "failed"}
        ledger.add(Job(id=name, run=name, provider=PROVIDERS[number % 4], remote_id=remote, **told))
    ledger.close()

    done = flux("status", typed)

    offered = [word for word in re.findall(r"[\w:-]+", done.err) if word.removeprefix("runcomfy:") in made]
    assert done.code == 2
    assert set(offered) == set([*made][:5])
    assert [flux("status", name, "--json").object["id"] for name in offered] == offered
    assert host.requests == []


@pytest.mark.parametrize(
    "typed", [["status"], ["result"], ["cancel"], ["status", "--forget"], ["result", "-p", "runware"]]
)
def test_a_run_that_only_the_sandbox_has_is_answered_with_the_way_there(flux, host, queued, typed):
    """The newcomer's first run was in the sandbox: it says so, how many jobs are there, and how to see them."""
    queued("runware")
    queued("runware")

    done = flux(*typed, "@1")

    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[:2] == [
        "flux: error: there is no job @1 outside the sandbox",
        "hint: add --sandbox for the sandbox's @1; the sandbox has 2 jobs: `flux status --sandbox`",
    ]
    assert "sandbox" not in flux(*typed, "@7").err
    assert host.requests == []


def test_starting_from_a_run_that_only_the_sandbox_has_says_so_too(flux, queued, host):
    queued("runware")

    done = flux("generate", "--like", "@1", "-p", "runware")

    assert done.code == 2
    assert "there is no job or image @1 outside the sandbox\nhint: add --sandbox " in done.err
