"""The file of failed rows: replaced and removed only where flux wrote it and it was not changed since."""

from __future__ import annotations

import pytest

from flux_cli.runs.failed_rows import FailedRows


@pytest.fixture
def files(tmp_path):
    return FailedRows(batch=tmp_path / "p.txt", digests=tmp_path / "state" / "failed")


def names(files: FailedRows) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in sorted(files.batch.parent.glob("p.txt*"))}


def test_a_file_that_flux_wrote_is_replaced_and_removed(files):
    files.write(["one", "r\u00e9nard"])
    path = files.write(["two"])

    assert names(files) == {"p.txt.failed.jsonl": "two\n"}
    assert path == files.default_path
    assert files.remove()
    assert names(files) == {}


def test_no_file_is_no_trouble(files):
    assert files.remove()


def test_a_file_that_was_changed_stays_and_the_next_name_is_taken(files):
    """Each further run replaces the same one, until that is changed, too."""
    files.write(["one"]).write_text("mine\n")
    second = files.write(["two"])
    again = files.write(["three"])
    again.write_text("mine, too\n")
    third = files.write(["four"])

    assert (second.name, again) == ("p.txt.failed-2.jsonl", second)
    assert not files.remove()
    assert not third.exists()
    assert names(files) == {"p.txt.failed.jsonl": "mine\n", "p.txt.failed-2.jsonl": "mine, too\n"}


def test_a_change_that_was_taken_back_is_none(files):
    path = files.write(["one"])
    path.write_text("mine\n")
    path.write_text("one\n")

    assert files.write(["two"]) == path


def test_the_same_words_from_another_hand_are_not_ours(files):
    """A file that was removed and made again is known by what it holds: that is all that could be lost."""
    files.write(["one"])
    files.remove()
    files.default_path.write_text("one\n")

    assert files.write(["two"]) != files.default_path


def test_where_nothing_is_remembered_every_file_counts_as_yours(files):
    """Also where it cannot be: the rows are written all the same."""
    files.digests.parent.write_text("no folder\n")

    first, second = files.write(["one"]), files.write(["two"])

    assert (first.read_text(), second.read_text()) == ("one\n", "two\n")


def test_a_file_is_known_from_any_folder(files, tmp_path, monkeypatch):
    files.write(["one"])
    monkeypatch.chdir(tmp_path)
    here = FailedRows(batch=files.batch.relative_to(tmp_path), digests=files.digests)

    assert here.write(["two"]) == here.default_path
