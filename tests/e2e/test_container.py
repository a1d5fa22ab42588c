"""What the README's container is: any user without a name, a root that cannot be written to, and one volume.

No container engine is needed: a mount namespace makes everything read-only but the volume.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.process import FLUX

ROOT = Path(__file__).parents[2]
ENTER = """
mount --bind "$VOLUME" "$VOLUME" && cd "$VOLUME"
while read -r _ _ _ _ place _; do
  case $place in
    /proc | /proc/* | /dev | /dev/pts | "$VOLUME") ;;
    *) mount -o remount,bind,ro "$place" 2>/dev/null ;;
  esac
done < /proc/self/mountinfo
[ -z "$READ_ONLY" ] || mount -o remount,bind,ro "$VOLUME"
exec setpriv --reuid 12345 --regid 0 --clear-groups --inh-caps -all,+dac_read_search \\
  --ambient-caps -all,+dac_read_search --bounding-set -all,+dac_read_search -- env -i "$@"
"""
"""Make all but the volume read-only, and become a user without a name, who may read where this Python is."""
NAMESPACE = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "bash", "-c", ENTER, "-"]


@pytest.fixture
def volume(tmp_path):
    """Return the folder that is writable, as the Containerfile makes it."""
    words = [*NAMESPACE, "true"]
    environment = {**os.environ, "VOLUME": str(tmp_path), "READ_ONLY": ""}
    if os.geteuid() or not shutil.which("setpriv") or subprocess.run(words, env=environment, check=False).returncode:
        pytest.skip("only root can make a mount namespace")
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o775)
    return folder


@pytest.fixture
def contained(volume):
    """Return a function that runs lines of a shell in there, and returns what they print."""

    path = f"PATH={Path(FLUX).parent}:{os.environ['PATH']}"

    def run(script: str, home: str, *, read_only: str = "") -> str:
        return subprocess.run(
            [*NAMESPACE, path, "LANG=C.UTF-8", "FLUX_SANDBOX_SECONDS=0.1", f"HOME={home}", "bash"],
            input=script.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "VOLUME": str(volume), "READ_ONLY": read_only},
            cwd=volume,
            timeout=60,
            check=False,
        ).stdout.decode()

    return run


def containerfile() -> dict[str, str]:
    """Return the instructions of the README's Containerfile that say how flux runs."""
    (text,) = re.findall(
        r"^```dockerfile\n(.*?)^```$", (ROOT / "README.md").read_text(), flags=re.MULTILINE | re.DOTALL
    )
    return dict(line.split(" ", 1) for line in text.splitlines())


def test_the_containers_of_the_readme_need_one_writable_folder(contained, volume):
    """As its Containerfile says, at another path: images, ledger and config are written to /data, nothing elsewhere."""
    said = containerfile()
    assert (said["ENV"], said["WORKDIR"], said["ENTRYPOINT"]) == ("HOME=/data", "/data", '["flux"]')

    printed = contained(
        """
        touch /tmp/x 2>&1 | grep -c Read-only
        flux --version
        flux generate --sandbox -q -s 7 "a red fox"
        flux generate --sandbox -q -s 8 winter -p bfl -m kontext -i - -o winter.png < a-red-fox-7.jpg
        flux status --sandbox | wc -l
        flux config set default_provider runware 2>&1 | wc -l
        flux generate "a fox"
        RUNWARE_API_KEY=made-up flux generate "a fox" --dry-run | wc -c
        """,
        str(volume),
    )

    assert re.fullmatch(
        r"1\nflux \S+\na-red-fox-7.jpg\nwinter.png\n2\n1\n"
        r"flux: error: there is no key for runware(?s:.*)charged: no\n[1-9]\d+\n",
        printed,
    ), printed
    assert {path.name for path in volume.iterdir()} == {"a-red-fox-7.jpg", "winter.png", ".config", ".local"}


@pytest.mark.parametrize("home", ["/", "", "/nonexistent"])
def test_without_a_home_the_sandbox_keeps_its_ledger_in_the_only_writable_folder(contained, home):
    """If only the current folder is writable, it is the temporary folder, too."""
    printed = contained("flux generate --sandbox -q -s 7 fox; flux status --sandbox | wc -l", home)

    assert printed == "fox-7.jpg\n1\n"


@pytest.mark.parametrize("home", ["/", ""])
def test_where_nothing_can_be_written_each_error_says_what_to_set(contained, home):
    printed = contained(
        """
        flux --help > /dev/null && flux help money > /dev/null && echo helped
        for line in "generate --sandbox fox" "status --sandbox" "status" "generate fox -p runware" "models"; do
          RUNWARE_API_KEY=made-up flux $line; echo "code $?"
        done
        """,
        home,
        read_only="1",
    )

    assert printed.startswith("helped\n")
    parts = printed.split("code ")[:-1]
    assert len(parts) == 5
    assert [part for part in parts if not re.search("hint: .*(HOME|TMPDIR|XDG_STATE_HOME)", part)] == []
    assert "bug" not in printed
    assert "Traceback" not in printed
