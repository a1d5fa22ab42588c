"""A lock that lasts as long as its holder, however that ends."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from flux_cli.ledger.lock import hold_lock

HOLD = """
import sys, pathlib
from flux_cli.ledger.lock import hold_lock
with hold_lock(pathlib.Path(sys.argv[1])):
    print(flush=True)
    input()
"""


def test_one_at_a_time(tmp_path):
    """The second one learns who has it; it is free again afterwards, and nothing is left."""
    path = tmp_path / "locks" / "a"

    with hold_lock(path) as first, hold_lock(path) as second, hold_lock(tmp_path / "locks" / "b") as other:
        held = (first, second, other)
    with hold_lock(path) as third:
        pass

    assert held == (None, str(os.getpid()), None)
    assert third is None
    assert list(path.parent.iterdir()) == []


def test_it_is_free_again_where_the_work_fails(tmp_path):
    with pytest.raises(KeyError), hold_lock(tmp_path / "a"):
        raise KeyError

    with hold_lock(tmp_path / "a") as holder:
        assert holder is None


@pytest.mark.parametrize("stale", ["", "1", "ours", "no number"])
def test_a_file_that_was_left_behind_holds_nothing(tmp_path, stale):
    """As after a power cut: also where the number in it belongs to somebody else by now."""
    (tmp_path / "a").write_text(str(os.getpid()) if stale == "ours" else stale)

    with hold_lock(tmp_path / "a") as holder:
        assert holder is None
        assert (tmp_path / "a").read_text() == str(os.getpid())


@pytest.mark.slow
def test_it_ends_with_a_process_that_is_killed(tmp_path):
    path = tmp_path / "a"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as one:
        one.stdout.readline()
        with hold_lock(path) as while_it_lives:
            pass
        one.kill()
        one.wait()
        with hold_lock(path) as afterwards:
            pass

    assert (while_it_lives, afterwards) == (str(one.pid), None)


def test_a_place_that_cannot_be_is_an_error(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(OSError, match=r"exists|directory"), hold_lock(tmp_path / "file" / "a"):
        pass
