"""``--batch``: a file of prompts, checked as a whole, made side by side, cut off and gone on with."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import pytest

from flux_cli.sandbox.wire import Answer, LostReply, reply

TWO = "a red fox\nan owl\n"
RUNWARE = ("-p", "runware")


def write(text: str | bytes, name: str = "p.txt") -> str:
    """Write a batch file, and return its name."""
    Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


def objects(*rows: dict, name: str = "p.jsonl") -> str:
    return write("".join(f"{json.dumps(row)}\n" for row in rows), name)


def images() -> list[str]:
    """Return the names of all images under the current folder."""
    return sorted(str(path) for path in Path().rglob("*") if path.suffix in {".jpg", ".png", ".webp"})


def submits(call) -> bool:
    return call.method == "POST" and (b"imageInference" in call.body or call.path.startswith("/v1/models/"))


def at_submit(number: int, act: Callable[[], Answer | None]) -> Callable:
    """Return a script that acts at the submit of that number (from 1), and at those that follow."""
    seen = []

    def script(call):
        if submits(call):
            seen.append(call)
            if len(seen) >= number:
                return act()
        return None

    return script


@pytest.fixture
def pressed(clock, host):
    """Return what presses Ctrl-C while the submit of a number, from 1, is answered."""

    @contextmanager
    def press(number: int = 1):
        host.script = at_submit(number, lambda: clock.stop(2))
        yield
        host.script = None
        clock._stopped.clear()

    return press


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.txt", "# two\na red fox\n\n  an owl\n"),
        ("p.TXT", "\ufeffa red fox\r\nan owl\r\n"),
        ("p.jsonl", '{"prompt": "a red fox"}\n{"prompt": "an owl"}\n'),
        ("p.csv", 'prompt\n"a red fox"\nan owl\n'),
        ("p.csv", "\ufeffprompt\r\na red fox\r\nan owl\r\n"),
    ],
)
def test_every_row_becomes_an_image(flux, host, name, text):
    """Its path on stdout, how far we are on stderr, and the sum at the end."""
    done = flux("generate", "-b", write(text, name), *RUNWARE, "-s", "7")

    assert (done.code, sorted(done.lines)) == (0, ["a-red-fox-7.jpg", "an-owl-7.jpg"])
    assert images() == sorted(done.lines)
    assert done.err.splitlines()[-1] == "flux: note: 2 of 2 jobs done, $0.12"
    assert done.err.count("of 2 done") == 2
    assert {seen.body[0]["positivePrompt"] for seen in host.requests if submits_seen(seen)} == {"a red fox", "an owl"}


def submits_seen(seen) -> bool:
    return isinstance(seen.body, list) and seen.body[0].get("taskType") == "imageInference"


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_stdin_has_a_prompt_a_line(flux, host, mark):
    """What was made of the same lines before is no matter: it is made again."""
    first, second = (flux("generate", "-b", "-", *RUNWARE, "-s", "7", "-q", stdin=f"{mark}a fox\r\n") for _ in "ab")

    assert (first.lines, second.lines) == (["a-fox-7.jpg"], ["a-fox-7-2.jpg"])
    assert host.paid["runware"] == 2


def test_a_row_has_options_of_its_own(flux, host):
    """Over what was typed for all of them: provider, count, seed, shape, format, and where it goes."""
    rows = [
        {"prompt": "one", "provider": "runcomfy", "count": 2, "seed": 5, "aspect-ratio": "1:1"},
        {"prompt": "two", "output": "made/second.png"},
        {"prompt": "three", "format": "webp", "metadata": {"a": "b"}, "provider": "runflow"},
    ]
    Path("made").mkdir()

    done = flux("generate", "-b", objects(*rows), *RUNWARE, "-s", "7", "-q")

    assert done.code == 0, done.err
    assert images() == ["made/second.png", "one-5.png", "one-6.png", "three-7.webp"]
    assert dict(host.paid) == {"runcomfy": 2, "runware": 1, "runflow": 1}


def test_a_folder_or_a_template_names_every_image(flux, host):
    assert flux("generate", "-b", write(TWO), *RUNWARE, "-o", "out/{row:03}-{slug}.{ext}", "-q").code == 0
    assert flux("generate", "-b", write(TWO), *RUNWARE, "-s", "7", "-o", "new/", "--again", "-q").code == 0

    assert images() == ["new/a-red-fox-7.jpg", "new/an-owl-7.jpg", "out/001-a-red-fox.jpg", "out/002-an-owl.jpg"]


def test_everything_is_checked_before_the_first_cent(flux, host):
    """Every row that is wrong is told, by file and line: no value, not offered, cannot be read, nowhere to go."""
    rows = [
        {"prompt": "fine"},
        {"prompt": "a", "seed": 7},
        {"prompt": "two", "raw": True, "provider": "runflow"},
        {"prompt": "three", "image": "nowhere.png"},
        {"prompt": "four", "output": "one.gif"},
        {"prompt": "five", "output": "-"},
        {"prompt": "six", "param": {"taskType": 1}},
    ]

    done = flux("generate", "-b", objects(*rows), *RUNWARE)

    told = [line.removeprefix("flux: error: ") for line in done.err.splitlines() if "error" in line]
    assert done.code == 2
    assert [line.partition(": ")[0] for line in told[:-1]] == [f"p.jsonl:{line}" for line in range(2, 8)]
    assert told[-1] == "6 rows of p.jsonl have errors; nothing was sent"
    assert not host.requests
    assert flux("status").out == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"a fox\nb\xe9te\n", "p.txt:2: not valid UTF-8"),
        ("a fox\n".encode("utf-16"), "p.txt:1: not valid UTF-8"),
        (b"# nothing\n\n", "there is no prompt in p.txt"),
        (b"", "there is no prompt in p.txt"),
    ],
)
def test_a_file_that_is_none_is_told(flux, host, text, said):
    done = flux("generate", "-b", write(text), *RUNWARE)

    assert (done.code, said in done.err) == (2, True), done.err


@pytest.mark.parametrize("name", ["gone.txt", ".", "prompts", "x" * 300 + ".txt"])
def test_a_file_that_is_not_there_is_told(flux, host, name):
    Path("prompts").touch()

    assert flux("generate", "-b", name, *RUNWARE).code == 2


def test_what_is_wrong_with_all_rows_is_told_once(flux, host):
    done = flux("generate", "-b", write("".join(f"fox {n}\n" for n in range(50))), "-p", "runflow", "--raw")

    assert done.code == 2
    assert done.err.startswith("flux: error: p.txt:1 (and 49 more): runflow has no --raw")
    assert done.err.count("flux: error:") == 1


def test_of_many_errors_the_first_are_told(flux, host):
    rows = [{"prompt": "a fox", "sede": n} for n in range(50)]

    done = flux("generate", "-b", objects(*rows), *RUNWARE)

    assert done.err.count("flux: error: p.jsonl:") == 20
    assert "50 rows of p.jsonl have errors (30 more errors not shown)" in done.err


def test_names_clash_before_anything_is_sent(flux, host):
    """Two rows for one file, by whatever path; a file that exists; a folder that does not."""
    Path("in").mkdir()
    Path("there.jpg").write_text("mine")
    rows = [
        {"prompt": "fox", "output": "one.jpg"},
        {"prompt": "owl", "output": "in/../one.jpg"},
        {"prompt": "hen", "output": "hens.jpg", "count": 2},
        {"prompt": "cat", "output": "hens-2.jpg"},
    ]

    clash = flux("generate", "-b", objects(*rows), *RUNWARE)
    taken = flux("generate", "-b", objects({"prompt": "fox", "output": "there.jpg"}), *RUNWARE)
    nowhere = flux("generate", "-b", objects({"prompt": "fox", "output": "gone/a.jpg"}), *RUNWARE)

    assert {clash.code, taken.code, nowhere.code} == {2}
    assert "p.jsonl:2: " in clash.err
    assert "is also the name of the image of p.jsonl:1" in clash.err
    assert "is also the name of the image of p.jsonl:3" in clash.err
    assert "p.jsonl:1: there.jpg already exists" in taken.err
    assert "p.jsonl:1: there is no folder gone" in nowhere.err
    assert Path("there.jpg").read_text() == "mine"
    assert not host.requests


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--resume", "--again"], "--resume and --again cannot be combined"),
        (["--once", "cover"], "--once cannot be combined with --batch"),
        (["-o", "-"], "-o - takes one image"),
        (["-o", "one.jpg"], "is a single file, but a batch makes many images"),
        (["-j", "0"], "--jobs takes 1 to 100"),
        (["--no-wait", "-o", "out/"], "--no-wait exits before"),
    ],
)
def test_what_does_not_go_with_a_batch_is_an_error(flux, host, arguments, said):
    done = flux("generate", "-b", write(TWO), *RUNWARE, *arguments)

    assert (done.code, said in done.err) == (2, True), done.err
    assert not host.requests


@pytest.mark.parametrize("option", ["--resume", "--again"])
def test_without_a_batch_there_is_nothing_to_resume(flux, host, option):
    assert flux("generate", "a fox", *RUNWARE, option).code == 2


@pytest.mark.parametrize("row", [{}, {"provider": "runflow"}])
def test_a_key_that_is_missing_is_told_before_anything_is_sent(flux, host, monkeypatch, row):
    """Also where only one row needs it."""
    monkeypatch.delenv("RUNFLOW_API_KEY")
    default = ["-p", "runflow"] if not row else [*RUNWARE]

    done = flux("generate", "-b", objects({"prompt": "fox"}, {"prompt": "owl", **row}), *default)

    assert (done.code, "no key for runflow" in done.err) == (3, True)
    assert not host.requests


def test_as_many_rows_at_once_as_were_asked_for(flux, host):
    """Never more than three are between submit and image, and three at once are."""
    meeting, lock = threading.Barrier(3, timeout=20), threading.Lock()
    now, most = [0], [0]

    def script(call):
        if submits(call):
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            meeting.wait()
        elif call.method == "GET":
            with lock:
                now[0] -= 1

    host.script = script

    done = flux("generate", "-b", write("".join(f"fox {n}\n" for n in range(6))), *RUNWARE, "-j", "3", "-q")

    assert (done.code, most) == (0, [3])


def test_each_image_is_there_as_soon_as_it_is_ready(flux, host):
    """It is on disk, and in the ledger, before the next row is sent."""
    seen = []
    host.script = at_submit(2, lambda: seen.append((images(), flux("status", "--offline").out.count("succeeded"))))

    assert flux("generate", "-b", write(TWO), *RUNWARE, "-j", "1", "-s", "7").code == 0
    assert seen == [(["a-red-fox-7.jpg"], 1)]


def test_too_many_requests_slow_all_rows_down(flux, host, clock):
    """What one row is told to wait, the others wait too, but for those that had left; all of them are made."""
    times = []

    def script(call):
        if submits(call):
            times.append(clock.time)
            if len(times) == 1:
                return reply(429, {"errors": [{"code": "rateLimit", "message": "later"}]}, retry_after="30")
        return None

    host.script = script

    done = flux("generate", "-b", write("".join(f"fox {n}\n" for n in range(5))), *RUNWARE, "-j", "2", "-q")

    assert (done.code, len(times)) == (0, 6)
    assert sum(time < times[0] + 30 for time in times) <= 2


def test_in_json_every_row_has_an_object(flux, host):
    """As it ends, with its row, its run and its batch; also those that fail, and those that are never sent."""
    rows = [
        {"prompt": "fox"},
        {"prompt": "owl sandbox:moderated"},
        {"prompt": "hen sandbox:credits"},
        {"prompt": "cat"},
    ]

    done = flux("generate", "-b", objects(*rows), *RUNWARE, "-j", "1", "--json")

    told = done.objects
    assert done.code == 9
    assert [one["row"] for one in told] == [1, 2, 3, 4]
    assert [(one["error"] or {}).get("code") for one in told] == [None, "moderated", "payment", "payment"]
    assert len({one["run"] for one in told}) == 1
    assert {one["batch"] for one in told} == {str(Path("p.jsonl").resolve())}
    assert [one["prompt"] for one in told] == [row["prompt"] for row in rows]


def test_a_dry_run_sends_and_writes_nothing(flux, host):
    done = flux("generate", "-b", write(TWO), *RUNWARE, "--dry-run")

    assert (done.code, done.out.count("curl -sS")) == (0, 2)
    assert not host.requests
    assert flux("generate", "-b", "p.txt", *RUNWARE, "-q").code == 0


def test_nobody_has_to_wait(flux, host):
    """With --no-wait there is an id a row, and --resume fetches the images."""
    left = flux("generate", "-b", write(TWO), *RUNWARE, "-s", "7", "--no-wait")
    fetched = flux("generate", "-b", "p.txt", *RUNWARE, "--resume")

    assert (left.code, len(left.lines)) == (0, 2)
    assert (fetched.code, sorted(fetched.lines)) == (0, ["a-red-fox-7.jpg", "an-owl-7.jpg"])
    assert host.paid["runware"] == 2


def test_a_file_with_rows_that_were_made_is_refused(flux, host):
    """By whatever path; whoever means it says --resume, which has nothing to do, or --again."""
    write(TWO)
    flux("generate", "-b", "p.txt", *RUNWARE, "-q")

    refused = flux("generate", "-b", str(Path("p.txt").resolve()), *RUNWARE)
    resumed = flux("generate", "-b", "p.txt", *RUNWARE, "--resume")
    again = flux("generate", "-b", "p.txt", *RUNWARE, "--again")
    after = flux("generate", "-b", "p.txt", *RUNWARE, "--resume")

    assert (refused.code, "2 rows of" in refused.err, "--again makes every row again" in refused.err) == (2, True, True)
    assert (resumed.code, resumed.out) == (0, "")
    assert "nothing left to do, 2 rows made before" in resumed.err
    assert (again.code, len(again.lines)) == (0, 2)
    assert (after.code, after.out) == (0, "")
    assert host.paid["runware"] == 4


def test_the_sandbox_and_the_world_do_not_mix(flux, host, monkeypatch):
    monkeypatch.setenv("FLUX_SANDBOX_SECONDS", "0")

    assert flux("generate", "-b", write(TWO), *RUNWARE, "--sandbox", "-q").code == 0
    assert flux("generate", "-b", "p.txt", *RUNWARE, "-q").code == 0
    assert host.paid["runware"] == 2


def test_it_goes_on_where_it_was_cut_off(flux, host, pressed):
    """What is made is skipped, what is under way is fetched, the rest is bought; that is also what was said."""
    write("one\ntwo\nthree\n")
    with pressed(2):
        cut = flux("generate", "-b", "p.txt", *RUNWARE, "-j", "1", "-s", "7")

    rest = flux("generate", "-b", "p.txt", *RUNWARE, "-s", "7", "--resume")

    assert (cut.code, cut.lines) == (130, ["one-7.jpg"])
    assert "interrupted: 1 of 3 jobs are done; in progress and billed: " in cut.err
    assert "`flux generate --batch p.txt --resume`" in cut.err
    assert (rest.code, sorted(rest.lines)) == (0, ["three-7.jpg", "two-7.jpg"])
    assert "2 of 2 jobs done, 1 row made before" in rest.err
    assert host.paid["runware"] == 3


def test_rows_may_be_added_edited_and_moved_meanwhile(flux, host, pressed):
    """What is asked for counts, not where it stands. A row that is gone while it was under way is named, not lost."""
    write("one\ntwo\nthree\n")
    with pressed(2):
        flux("generate", "-b", "p.txt", *RUNWARE, "-j", "1")
    write("zero\ntwo, edited\nthree\none\n")

    rest = flux("generate", "-b", "p.txt", *RUNWARE, "-s", "7", "--resume")
    command = rest.err.partition("1 job of rows that p.txt no longer has may have images for you: `flux ")[2]
    fetched = flux(*command.partition("`")[0].split())

    assert (rest.code, sorted(rest.lines)) == (0, ["three-7.jpg", "two-edited-7.jpg", "zero-7.jpg"])
    assert (fetched.code, len(fetched.lines)) == (0, 1), rest.err
    assert host.paid["runware"] == 5


def test_rows_that_ask_for_the_same_are_made_each(flux, host, pressed):
    """Three foxes are three foxes, also where the second one was cut off and one more is added."""
    write("a fox\na fox\na fox\n")
    with pressed(2):
        flux("generate", "-b", "p.txt", *RUNWARE, "-j", "1")
    write("a fox\n" * 4)

    rest = flux("generate", "-b", "p.txt", *RUNWARE, "--resume")

    assert (rest.code, len(rest.lines), len(images())) == (0, 3, 4)
    assert host.paid["runware"] == 4


def test_a_row_that_was_cut_off_in_the_middle_is_completed(flux, host, pressed):
    """Two of three jobs were bought; the third is, with its seed, and the names that were given go on."""
    objects({"prompt": "a fox", "count": 3, "seed": 5, "output": "fox.png"})
    with pressed(2):
        flux("generate", "-b", "p.jsonl", "-p", "runcomfy", "-j", "1")
    before = images()

    rest = flux("generate", "-b", "p.jsonl", "-p", "runcomfy", "--resume")

    assert before == ["fox-1.png"]
    assert (rest.code, sorted(rest.lines)) == (0, ["fox-2.png", "fox-3.png"]), rest.err
    seeds = [seen.body["seed"] for seen in host.requests if seen.method == "POST"]
    assert (sorted(seeds), host.paid["runcomfy"]) == ([5, 6, 7], 3)


def test_a_row_is_completed_at_another_provider(flux, host, pressed):
    """Where one job makes several images, it makes those that are missing."""
    objects({"prompt": "a fox", "count": 3, "seed": 5})
    with pressed(1):
        flux("generate", "-b", "p.jsonl", "-p", "runcomfy", "-j", "1")

    rest = flux("generate", "-b", "p.jsonl", *RUNWARE, "--resume", "--json", "-j", "1")

    assert (rest.code, [(one["provider"], len(one["images"])) for one in rest.objects]) == (
        0,
        [("runcomfy", 1), ("runware", 2)],
    )
    assert len(images()) == 3


def test_all_anew_can_be_cut_off_too(flux, host, pressed):
    """--resume then makes the rest of it anew, and nothing of it twice."""
    write("one\ntwo\nthree\n")
    flux("generate", "-b", "p.txt", *RUNWARE, "-q")
    with pressed(2):
        flux("generate", "-b", "p.txt", *RUNWARE, "-j", "1", "--again")

    rest = flux("generate", "-b", "p.txt", *RUNWARE, "--resume")
    nothing = flux("generate", "-b", "p.txt", *RUNWARE, "--resume")

    assert (rest.code, len(rest.lines), nothing.out) == (0, 2, "")
    assert (host.paid["runware"], len(images())) == (6, 6)


def test_all_anew_names_what_is_still_under_way(flux, host):
    """It was paid for."""
    left = flux("generate", "-b", write(TWO), *RUNWARE, "-j", "1", "--no-wait")

    again = flux("generate", "-b", "p.txt", *RUNWARE, "--again")

    assert f"`flux result --wait {' '.join(left.lines)}`" in again.err
    assert (again.code, len(again.lines), host.paid["runware"]) == (0, 2, 4)


def test_an_answer_that_was_lost_is_named_and_never_bought_again(flux, host):
    """It is no row to feed back; each --resume asks and says so."""
    host.script = at_submit(2, lost)
    write(TWO)
    first = flux("generate", "-b", "p.txt", "-p", "runcomfy", "-j", "1", "--json")
    host.script = None

    rest = [flux("generate", "-b", "p.txt", "-p", "runcomfy", "--resume", "--json") for _ in "ab"]

    assert (first.code, first.objects[1]["error"]["code"]) == (9, "unknown")
    assert [(one.code, one.object["row"], one.object["error"]["code"]) for one in rest] == [(9, 2, "unknown")] * 2
    assert not Path("p.txt.failed.jsonl").exists()
    assert host.paid["runcomfy"] == 2


def lost() -> Answer:
    raise LostReply


def test_an_image_that_could_not_be_saved_is_fetched_not_bought(flux, host):
    """As on a full disk: the folder was taken away meanwhile. Exit 10, then --resume."""

    def script(call):
        if call.method == "GET" and Path("out").is_dir():
            shutil.rmtree("out")
            Path("out").touch()

    write(TWO)
    host.script = script
    broken = flux("generate", "-b", "p.txt", *RUNWARE, "-o", "out/", "-j", "1")
    host.script = None
    Path("out").unlink()

    rest = flux("generate", "-b", "p.txt", *RUNWARE, "-o", "out/", "--resume")

    assert (broken.code, broken.out) == (10, "")
    assert not Path("p.txt.failed.jsonl").exists()
    assert (rest.code, len(rest.lines), len(images())) == (0, 2, 2)
    assert host.paid["runware"] == 2


def test_two_are_never_at_the_same_batch(flux, host):
    """Whoever comes second is refused, whatever it says, and so is one at the rows that failed of it."""
    write(TWO)
    write('{"prompt": "an owl"}\n', "p.txt.failed.jsonl")
    others = []

    def come():
        if not others:
            others.append(flux("generate", "-b", "p.txt", *RUNWARE, "--resume"))
            others.append(flux("generate", "-b", "p.txt.failed.jsonl", *RUNWARE))
            others.append(flux("generate", "-b", "p.txt", *RUNWARE, "--dry-run", "--again"))

    host.script = at_submit(1, come)

    done = flux("generate", "-b", "p.txt", *RUNWARE, "-j", "1")

    assert [one.code for one in others] == [2, 2, 0]
    assert "another flux is at work on p.txt" in others[0].err
    assert (done.code, host.paid["runware"]) == (0, 2)


def test_another_provider_takes_over_row_by_row(flux, host):
    """Told rows cost what all of their jobs cost, and a row that may have been bought there is not fed back."""
    empty = reply(402, {"errors": [{"code": "insufficientCredits", "message": "empty"}]})
    paid = []

    def script(call):
        if b"imageInference" in call.body:
            return empty
        if call.method == "POST" and call.path.startswith("/v1/models/"):
            paid.append(call)
            if len(paid) in {4, 5, 6}:
                raise LostReply
        return None

    host.script = script
    rows = [{"prompt": "fox", "count": 3}, {"prompt": "owl", "count": 3}, {"prompt": "hen", "count": 1}]

    done = flux("generate", "-b", objects(*rows), *RUNWARE, "--fallback", "runcomfy", "-j", "1")

    assert (done.code, len(images()), host.paid["runcomfy"]) == (9, 4, 7)
    assert not Path("p.jsonl.failed.jsonl").exists()
    assert "2 of 3 jobs done, 1 unknown" in done.err


def test_the_limit_holds_for_what_was_told(flux, host):
    """Jobs that cost more than was expected use it up: the rest is never sent."""

    def script(call):
        if b"getResponse" in call.body:
            found = host.world.answer_as("runware", call)
            told = json.loads(found.body)
            for one in told.get("data", []):
                one["cost"] = 0.15
            return reply(found.status, told)
        return None

    host.script = script
    write("one\ntwo\nthree\nfour\n")

    done = flux("generate", "-b", "p.txt", *RUNWARE, "-j", "1", "--max-cost", "0.30")

    assert (done.code, host.paid["runware"]) == (9, 2)
    assert "this would exceed --max-cost 0.3: $0.30 of $0.30 are spent" in done.err
    assert "2 of 4 jobs done, 2 payment" in done.err
    assert Path("p.txt.failed.jsonl").read_text().splitlines() == ['{"prompt": "three"}', '{"prompt": "four"}']
