"""POSIX, call by call: tests/programs/conform.c makes its assertions bare, while learning, and under what was learned: for
real, and on a view that is thrown away.

Each of its lines holds one outcome, so the lines are compared. The view must leave the tree as it was.
"""

import collections
import re
import subprocess

import pytest
from conftest import IN_PLACE, PROGRAMS, difference

# What differs, and why: the assertions by the text of their lines. doc/architecture.md has the reasons at length.
VIEW_DIFFERS = re.compile(
    r"^not ok stays\.old\.\d+ (map\[0\]|c): "  # what was mapped or is only read on since before the first write
    r"|what a view has not"  # inode flags of its own
    r"|trusted\.x"  # a root that has only the powers over files
    r"|^not ok inotify-names\.\w+\.\d+ events\("  # names of the view are no entries of a directory that could be watched
)
VIEW_DIFFERENCES = {"stays.old": 2, "stays.new": 0, "inotify-names.old": 5, "inotify-names.new": 5}
RUN_DIFFERS = re.compile(
    r"trusted\.x"  # as while learning
    r"|mknod\(\"open/dev\""  # no profile lets devices be made: EACCES, whatever else speaks against it
    r"|connected\(.*: EACCES, not ECONNREFUSED"  # a connect that failed is granted nothing
)
# Under a profile on a view: both, and what of a profile's rights depends on names that are no more, or too long.
WORKDIR_DIFFERS = re.compile(
    VIEW_DIFFERS.pattern
    + "|"
    + RUN_DIFFERS.pattern
    + r"|^not ok cwd-gone\.new\.\d+ by a descriptor: syscall\(SYS_getdents64"
    + r"|^not ok fd-gone\.new\.\d+ O_PATH: "
    + r"|^not ok lengths\.\w+\.\d+ deeper than a path is long: syscall\(SYS_getcwd"
)


@pytest.fixture(scope="session")
def conform(tmp_path_factory):
    """The suite, built once a worker."""
    binary = tmp_path_factory.mktemp("conform") / "conform"
    sources = sorted(PROGRAMS.glob("conform*.c"))
    command = ["gcc", "-std=gnu11", "-O0", "-Wall", "-Wextra", "-Werror", "-static", "-o", binary, *sources]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return binary


def outcomes(result):
    """The lines; a suite that broke off is an error here."""
    assert result.status == 0, result.describe()
    lines = result.stdout.splitlines()
    assert lines and lines[-1].startswith("passed "), result.describe()
    return lines[:-1]


def differing(bare, other, expected):
    """Lines that are not the bare run's, but for the expected ones."""
    assert [line.split(": ")[0] for line in map(strip_verdict, bare)] == [
        line.split(": ")[0] for line in map(strip_verdict, other)
    ], "not the same assertions were made"
    return [(a, b) for a, b in zip(bare, other) if a != b and not expected.search(b)]


def strip_verdict(line):
    return re.sub(r"^(not )?ok ", "", line)


def test_L9_conformance_bare_learned_and_run(box, conform):
    """The same score, and the same outcome of every assertion."""
    subprocess.run([conform, "prepare"], check=True, cwd=box.work)
    box.save()
    command = [conform, "run"]
    bare = outcomes(box.call(command))
    failed = [line for line in bare if line.startswith("not ok")]
    assert not failed, "the suite is wrong about this system:\n" + "\n".join(failed)
    assert len(bare) > 600
    groups = collections.Counter(line.split()[1].split(".")[0] for line in bare)
    assert all(n >= 8 for n in groups.values()), groups
    box.restore()
    before = box.snapshot(exact=True)
    learned, path, _profile = box.learn(command)
    if IN_PLACE:
        box.restore()
    else:
        after = box.snapshot(exact=True)
        assert after == before, difference(before, after)
    seen = outcomes(learned)
    wrong = differing(bare, seen, VIEW_DIFFERS)
    assert not wrong, "while learning:\n" + "\n".join(f"{a}\n  {b}" for a, b in wrong)
    for group, count in VIEW_DIFFERENCES.items():
        stated = [line for line in seen if line.startswith(f"not ok {group}.")]
        assert len(stated) == (0 if IN_PLACE else count), stated
    seen = outcomes(box.run(path, (), "--workdir", box.work, "--on-exit", "abort"))
    wrong = differing(bare, seen, WORKDIR_DIFFERS)
    assert not wrong, "under the profile, on a view:\n" + "\n".join(f"{a}\n  {b}" for a, b in wrong)
    after = box.snapshot(exact=True)
    assert IN_PLACE or after == before, difference(before, after)
    wrong = differing(bare, outcomes(box.run(path)), RUN_DIFFERS)
    assert not wrong, "under the profile:\n" + "\n".join(f"{a}\n  {b}" for a, b in wrong)
