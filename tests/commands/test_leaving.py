"""A batch submitted with ``--no-wait`` and fetched later: nothing is bought twice, nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from flux_cli.sandbox.wire import LostReply
from tests.commands.test_batch import RUNWARE, at_submit, images, pressed, write

__all__ = ["pressed"]  # a fixture
THREE = "a fox\nan owl\na hen\n"


def home_by_resume(flux: Callable):
    return flux("generate", "-b", "p.txt", *RUNWARE, "--resume")


def home_by_result(flux: Callable):
    return flux("result", "--all", "--wait")


def home_by_batch(flux: Callable):
    return flux("result", "--all", "--wait", "--batch", "p.txt")


HOME = [home_by_resume, home_by_result, home_by_batch]


@pytest.mark.parametrize("come_home", HOME)
@pytest.mark.parametrize("at_once", ["1", "3"])
def test_what_was_left_comes_home_by_either_command_and_only_once(flux, host, come_home, at_once):
    left = flux("generate", "-b", write(THREE), *RUNWARE, "-j", at_once, "--no-wait")
    home = come_home(flux)
    rest = [flux("generate", "-b", "p.txt", *RUNWARE, "--resume"), flux("result", "--all", "--wait")]

    assert (left.code, len(set(left.lines))) == (0, 3)
    assert (home.code, sorted(home.lines)) == (0, images())
    assert [(one.code, one.out) for one in rest] == [(0, ""), (0, "")]
    assert (host.paid["runware"], len(images())) == (3, 3)


def test_the_last_lines_say_what_was_submitted_and_how_to_come_back(flux, host):
    done = flux("generate", "-b", write(THREE), *RUNWARE, "-j", "1", "--no-wait")
    quiet = flux("generate", "-b", "p.txt", *RUNWARE, "--no-wait", "--resume", "-q")
    commands = done.err.splitlines()[-1].split("`")[1::2]

    assert done.err.splitlines() == [
        "flux: 1 of 3 submitted, $0.06",
        "flux: 2 of 3 submitted, $0.12",
        "flux: 3 of 3 submitted, $0.18",
        "flux: note: 3 of 3 jobs submitted, $0.18",
        (
            "flux: note: `flux result --all --wait --batch p.txt` fetches the images; "
            "`flux generate --batch p.txt --resume` with the same options does, too, and makes the rows that failed"
        ),
    ]
    assert (sorted(quiet.lines), quiet.err) == (sorted(done.lines), "")
    assert [flux(*command.split()[1:], "-q").code for command in commands[:1]] == [0]
    assert [flux(*command.split()[1:], *RUNWARE, "-q").code for command in commands[1:]] == [0]
    assert len(images()) == 3


def test_the_commands_of_the_sandbox_say_so(flux):
    done = flux("generate", "-b", write(THREE), *RUNWARE, "--sandbox", "--no-wait")

    assert "`flux generate --sandbox --batch p.txt --resume`" in done.err
    assert "`flux result --sandbox --all --wait --batch p.txt`" in done.err


def test_rows_from_stdin_come_home_with_all_others(flux, host):
    left = flux("generate", "-b", "-", *RUNWARE, "--no-wait", stdin=THREE)
    command = left.err.splitlines()[-1].split("`")[1]

    home = flux(*command.split()[1:])

    assert (left.code, command, home.code) == (0, "flux result --all --wait", 0)
    assert (host.paid["runware"], len(images())) == (3, 3)


def test_with_json_there_is_an_object_a_row(flux, host):
    left = flux("generate", "-b", write(THREE), *RUNWARE, "--no-wait", "--json")
    again = flux("generate", "-b", "p.txt", *RUNWARE, "--no-wait", "--resume", "--json")
    home = flux("generate", "-b", "p.txt", *RUNWARE, "--resume", "--json")

    assert sorted(one["row"] for one in left.objects) == [1, 2, 3]
    assert {one["id"] for one in left.objects} == {one["id"] for one in again.objects}
    assert {one["id"] for one in left.objects} == {one["id"] for one in home.objects}
    assert {one["status"] for one in home.objects} == {"succeeded"}
    assert host.paid["runware"] == 3


@pytest.mark.parametrize("come_home", HOME)
def test_leaving_that_was_interrupted_goes_on_where_it_was(flux, host, pressed, come_home):
    write(THREE)
    with pressed(2):
        cut = flux("generate", "-b", "p.txt", *RUNWARE, "-j", "1", "--no-wait")
    rest = flux("generate", "-b", "p.txt", *RUNWARE, "--no-wait", "--resume")
    home = come_home(flux)

    assert cut.code == 130
    assert "2 of 3 jobs are submitted" in cut.err
    assert "`flux generate --batch p.txt --resume`" in cut.err
    assert (rest.code, len(set(rest.lines)), set(cut.lines) <= set(rest.lines)) == (0, 3, True)
    assert (home.code, len(home.lines), host.paid["runware"]) == (0, 3, 3)


def test_interrupted_rows_of_stdin_are_fetched_by_run(flux, host, pressed):
    with pressed(2):
        cut = flux("generate", "-b", "-", *RUNWARE, "-j", "1", "--no-wait", stdin=THREE)

    assert (cut.code, cut.err.splitlines()[-1]) == (130, "flux: note: `flux result --wait @1` fetches what was bought")
    assert len(flux("result", "--wait", "@1").lines) == host.paid["runware"] == 2


@pytest.mark.parametrize("come_home", [home_by_result, home_by_batch])
def test_a_row_that_was_refused_leaves_the_others(flux, host, come_home):
    """It is in the file of rows to retry, which works with ``--no-wait``, too."""
    write("a fox\nan owl sandbox:rate-limit\na hen\n")

    left = flux("generate", "-b", "p.txt", *RUNWARE, "-j", "1", "--no-wait")
    home = flux("generate", "-b", "p.txt.failed.jsonl", *RUNWARE, "--no-wait")
    asked = host.paid["runware"]
    fetched = come_home(flux)

    assert (left.code, len(left.lines)) == (9, 2)
    assert "2 of 3 jobs submitted, 1 unavailable" in left.err
    assert "p.txt.failed.jsonl" in left.err
    assert home.code == 4
    assert (fetched.code, len(fetched.lines), host.paid["runware"]) == (0, 2, asked)


@pytest.mark.parametrize("come_home", HOME)
def test_a_row_of_unknown_outcome_is_named_and_never_bought_again(flux, host, come_home):
    def lose():
        raise LostReply

    host.script = at_submit(3, lose)
    left = flux("generate", "-b", write(THREE), "-p", "runcomfy", "-j", "1", "--no-wait")
    host.script = None

    home = come_home(flux)
    again = flux("generate", "-b", "p.txt", "-p", "runcomfy", "--resume", "--no-wait")

    assert (left.code, len(left.lines)) == (9, 3)
    assert "2 of 3 jobs submitted, 1 unknown" in left.err
    assert left.lines[-1] in home.err + flux("status", left.lines[-1]).out
    assert (home.code, len(home.lines), len(images())) == (9, 2, 2)
    assert (again.code, host.paid["runcomfy"]) == (9, 3)
    assert not Path("p.txt.failed.jsonl").exists()


def test_a_limit_that_is_reached_on_the_way_stops_the_rest(flux, host, monkeypatch):
    """Another process spends what was left of the budget after the batch was checked."""
    monkeypatch.setenv("FLUX_BUDGET__DAILY", "0.30")
    spent: list[int] = []

    def spend():
        if not spent:
            spent.append(1)
            assert flux("generate", "elsewhere", *RUNWARE, "-n", "2", "--no-wait").code == 0

    host.script = at_submit(1, spend)
    left = flux("generate", "-b", write(f"{THREE}a pig\n"), *RUNWARE, "-j", "1", "--no-wait")
    host.script = None
    monkeypatch.setenv("FLUX_BUDGET__DAILY", "3")
    rest = flux("generate", "-b", "p.txt", *RUNWARE, "--no-wait", "--resume")
    home = flux("result", "--all", "--wait", "--batch", "p.txt")

    assert (left.code, len(left.lines)) == (9, 3)
    assert "3 of 4 jobs submitted, 1 payment" in left.err
    assert (rest.code, len(rest.lines), host.paid["runware"]) == (0, 4, 5)
    assert (home.code, len(home.lines)) == (0, 4)


def test_rows_may_say_where_their_images_go(flux, host):
    """The saving options of a row apply when its image is fetched; two rows with one name are refused first."""
    rows = [{"prompt": "a fox", "output": "x.jpg"}, {"prompt": "a hen", "output": "y/", "embed": False, "timeout": 9}]
    clash = [rows[0], {"prompt": "a pig", "output": "x.jpg"}]
    Path("p.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    Path("clash.jsonl").write_text("\n".join(map(json.dumps, clash)), "utf-8")

    left = flux("generate", "-b", "p.jsonl", *RUNWARE, "--no-wait")
    refused = flux("generate", "-b", "clash.jsonl", *RUNWARE, "--no-wait")
    home = flux("generate", "-b", "p.jsonl", *RUNWARE, "-s", "7", "--resume")

    assert (left.code, len(left.lines)) == (0, 2)
    assert (refused.code, "is also the name of the image of" in refused.err) == (2, True)
    assert home.code == 0
    assert "x.jpg" in home.lines
    assert [line for line in home.lines if line.startswith("y/a-hen-")]
    assert host.paid["runware"] == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-o", "out/"], "--no-wait exits before there is an image to save"),
        (["--timeout", "9"], "--no-wait exits before there is an image to save"),
        (["--gallery", "g.html"], "--gallery needs saved images"),
        (["--preview"], "--no-wait exits before there is an image to show"),
        (["--once", "x"], "--once cannot be combined with --batch"),
    ],
)
def test_what_needs_images_is_refused_before_anything_is_sent(flux, host, options, said):
    done = flux("generate", "-b", write(THREE), *RUNWARE, "--no-wait", *options)

    assert (done.code, said in done.err, host.paid["runware"]) == (2, True, 0)


def test_a_provider_that_is_out_of_reach_is_replaced(flux, host, monkeypatch):
    monkeypatch.setenv("FLUX_PROVIDERS__RUNWARE__BASE_URL", "http://127.0.0.1:9/v1")

    left = flux("generate", "-b", write(THREE), *RUNWARE, "--fallback", "runcomfy", "-j", "1", "--no-wait", "--json")
    home = home_by_batch(flux)

    assert (left.code, {one["provider"] for one in left.objects}) == (0, {"runcomfy"})
    assert (home.code, len(home.lines), host.paid["runcomfy"]) == (0, 3, 3)


def test_images_of_one_batch_come_home_alone(flux, host):
    """Other jobs stay as they are; a file that nothing was made from is named."""
    flux("generate", "-b", write(THREE), *RUNWARE, "--no-wait", "-q")
    other = flux("generate", "a wolf", *RUNWARE, "--no-wait").lines[0]

    home = flux("result", "--all", "--batch", "p.txt", "--wait")
    absent = flux("result", "--all", "--batch", "q.txt")
    Path("new.txt").write_text("a fox\n", "utf-8")
    none = flux("result", "--all", "--batch", "new.txt")
    again = flux("result", "--all", "--batch", "p.txt")

    assert (home.code, len(home.lines), flux("result", other, "--url").code) == (0, 3, 0)
    assert [name for name in images() if "wolf" in name] == []
    assert (none.code, none.err) == (0, "flux: note: no job was made from new.txt yet\n")
    assert (absent.code, "no job was made from q.txt, and the file does not exist" in absent.err) == (2, True)
    assert (again.code, again.err) == (0, "flux: note: no job of p.txt has unsaved images\n")
    assert flux("result", "--batch", "p.txt").code == 2
    assert flux("result", other, "--batch", "p.txt").code == 2
