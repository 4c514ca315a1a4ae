"""Entries of /proc/self are each process's own, and the tool's are nobody's."""

import os
import subprocess

import attacks
import pytest

ROOT = os.geteuid() == 0
TRIES = 12000


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    return attacks.attack(tmp_path_factory, "self")


@pytest.fixture
def granted(tmp_path, program):
    """A profile with two entries of /proc/self, and a directory for links."""
    links = tmp_path / "links"
    links.mkdir()
    return attacks.profile(
        tmp_path / "p.toml", read=["/proc/self/status", "/proc/self/maps", links], exec=[program], create=[links], delete=[links]
    )


@pytest.fixture
def outsider():
    with attacks.running(["/usr/bin/sleep", "300"], stdin=subprocess.DEVNULL) as process:
        yield str(process.pid)


def test_L15_own_entries(sandlock, program, granted, tmp_path):
    confined = attacks.confined(sandlock, granted, [program, "own"], cwd=tmp_path)
    own = ("self", "self-maps", "number", "thread-self", "from-thread", "from-child", "child")
    foreign = ("environ-not-listed", "mem-not-listed", "sibling", "parent")
    attacks.compare(confined, {name: "SUCCEEDED" for name in own} | {name: "EACCES" for name in foreign})
    bare = attacks.call([program, "own"], cwd=tmp_path)
    attacks.compare(bare, {name: "SUCCEEDED" for name in confined})


@pytest.mark.parametrize("whose", ["outsider", "init", "tool"])
def test_L15_entries_of_others_by_any_spelling(sandlock, program, granted, tmp_path, outsider, whose):
    target = {"outsider": outsider, "init": "1", "tool": "0"}[whose]
    confined = attacks.confined(sandlock, granted, [program, "others", target], cwd=tmp_path)
    attacks.compare(confined, {name: "EACCES" for name in confined})
    if whose == "outsider":
        bare_place = tmp_path / "bare"
        (bare_place / "links").mkdir(parents=True)
        bare = attacks.call([program, "others", target], cwd=bare_place)
        attacks.compare(bare, {name: "SUCCEEDED" for name in confined})


@pytest.mark.parametrize("how", ["race", "race-link"])
def test_L15_a_race_never_opens_anothers(sandlock, program, granted, tmp_path, outsider, how):
    # On a busy machine the second thread may get no turn in a whole round. A link of the program's own that leads there
    # need not be known for /proc/self.
    refused = opened = rounds = 0
    while not (refused and (opened or how == "race-link")):
        rounds += 1
        assert rounds <= 10, f"no race was run: {refused} refused, {opened} opened"
        confined = attacks.confined(sandlock, granted, [program, how, outsider, str(TRIES)], cwd=tmp_path)
        assert confined["foreign"] == "0"
        refused += int(confined["refused"])
        opened += int(confined["opened"])
    bare_place = tmp_path / "bare"
    (bare_place / "links").mkdir(parents=True)
    assert any(int(attacks.call([program, how, outsider, str(TRIES)], cwd=bare_place)["foreign"]) > 0 for _ in range(10))


def test_R6_the_tool_is_not_reachable(sandlock, program, tmp_path, outsider):
    """Under a profile that lets all of /proc be read and written, as no profile should."""
    allowed = attacks.profile(tmp_path / "p.toml", read=["/proc"], write=["/proc"], exec=[program])
    confined = attacks.confined(sandlock, allowed, [program, "tool", "0"])
    reached = {name for name, outcome in confined.items() if outcome == "SUCCEEDED"}
    # Not judged by anything but the list of files that the profile grants.
    assert reached <= {"oom_score_adj"}
    bare = attacks.call([program, "tool", outsider])
    attacks.proves(bare, confined, ["fd-open"])


def test_R6_the_supervisor_never_answers_as_itself(sandlock, program, tmp_path):
    """What /proc/self names is the program, not the tool, also where the tool opens it on the program's behalf."""
    allowed = attacks.profile(
        tmp_path / "p.toml", read=["/proc/self/environ", "/proc/self/cmdline", "/usr/lib", "/lib", "/lib64", "/etc/ld.so.cache"],
        exec=["/usr/bin", "/usr/lib", "/lib", "/lib64"],
    )  # fmt: skip
    command = [sandlock, "run", "-p", allowed, "--env", "MARK=inside", "--", "/usr/bin/cat", "/proc/self/cmdline", "/proc/self/environ"]
    done = subprocess.run(
        [os.fspath(c) for c in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, env=dict(os.environ, TOOLMARK="tool")
    )
    assert done.stdout.startswith(b"/usr/bin/cat\0/proc/self/cmdline\0")
    assert b"MARK=inside" in done.stdout and b"run\0-p" not in done.stdout
