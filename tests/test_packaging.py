"""The package: its files and metadata, its README without links that do not work there, and the Containerfile."""

from __future__ import annotations

import re
import shutil
import tarfile
import zipfile
from contextlib import chdir
from fnmatch import fnmatch
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager
from trove_classifiers import classifiers, deprecated_classifiers

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def metadata():
    """Return the metadata that a package index shows."""
    with chdir(ROOT):
        return ProjectMetadata(str(ROOT), PluginManager()).core


def build(builder: type, root: Path, folder: Path) -> Path:
    """Return the wheel or the sdist of the source at ``root``, in which tools for building run the builder."""
    with chdir(root):
        (path,) = builder(str(root)).build(directory=str(folder), versions=["standard"])
    return Path(path)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build(WheelBuilder, ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    """Return the source as it is unpacked from the sdist."""
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(build(SdistBuilder, ROOT, folder)) as archive:
        archive.extractall(folder, filter="data")
    (found,) = (path for path in folder.iterdir() if path.is_dir())
    return found


def test_the_page_on_an_index_has_no_link_and_no_picture_that_is_dead_there(metadata):
    """Only a whole address leads somewhere from there."""
    targets = re.findall(r"\]\(([^)]*)\)|\b(?:src|href)=\"([^\"]*)", metadata.readme)

    assert [target for target in targets if not target[0].startswith("https://")] == []
    assert metadata.readme_content_type == "text/markdown"


def test_the_page_on_an_index_is_the_readme_otherwise(metadata):
    """Every topic is there as the command that prints it, and every example."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    topics = re.findall(r"\]\(flux_cli/help/([a-z-]+)\.md\)", text)

    assert len(topics) > 10
    assert [topic for topic in topics if f"- `flux help {topic}`: " not in metadata.readme] == []
    assert "How to add a provider: `flux help providers`" in metadata.readme
    kept = [line for line in text.splitlines() if "](" not in line]
    page = metadata.readme.splitlines()
    assert [line for line in kept if line and line not in page] == []


def test_the_classifiers_are_valid_and_name_the_versions_that_ci_tests(metadata):
    checked = re.search(r"for version in ([\d. ]+); do", (ROOT / ".ci" / "run").read_text(encoding="utf-8"))[1].split()
    versions = [one.rpartition(" ")[2] for one in metadata.classifiers if re.search(r":: 3\.\d+$", one)]

    assert set(metadata.classifiers) <= classifiers - deprecated_classifiers.keys()
    assert versions == [version for version in checked if version != "3.14"]
    assert metadata.requires_python == f">={versions[0]}"


def test_a_wheel_built_from_the_sdist_is_the_one_built_from_the_tree(wheel, sdist, tmp_path):
    again = build(WheelBuilder, sdist, tmp_path)

    assert again.name == wheel.name
    assert again.read_bytes() == wheel.read_bytes()


def test_the_sdist_holds_what_the_tests_need(sdist):
    needed = [".ci/run", ".dockerignore", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE"]
    tests = [str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("*.py")]

    assert [name for name in needed + tests if not (sdist / name).is_file()] == []


def test_a_container_engine_gets_what_the_wheel_is_made_of(wheel, tmp_path):
    """``.dockerignore`` leaves out keys and images that lie in the clone, and nothing that is needed."""
    ignored, *lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    context = tmp_path / "context"
    context.mkdir()
    for name in (line.removeprefix("!") for line in lines if line.startswith("!")):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, context / name)

    again = build(WheelBuilder, context, tmp_path)

    assert (ignored, lines[-1]) == ("*", "**/__pycache__")
    assert again.read_bytes() == wheel.read_bytes()


def test_the_wheel_holds_the_package_and_the_completions_alone(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    wanted = ("flux_cli/*", "flux_image-*.dist-info/*", "flux_image-*.data/data/share/*")

    assert [name for name in names if not any(fnmatch(name, pattern) for pattern in wanted)] == []
    assert [name for name in names if name.endswith((".pyc", "~"))] == []
