"""Attributes of files that a profile lets only be read do not change, by any call, any name for the file, or any race."""

import os
import stat

import attacks
import pytest

TRIES = 12000
LEGACY = {"utime", "utimes", "futimesat", "futimesat-fd"}


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    return attacks.attack(tmp_path_factory, "attributes")


def attributes(path):
    """Everything that an attribute call could change, but for the change time, which reading a file leaves alone too."""
    st = path.lstat()
    names = {name: os.getxattr(path, name) for name in os.listxattr(path)}
    return st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns, st.st_ctime_ns, st.st_atime_ns, names


@pytest.fixture
def place(tmp_path):
    """place(NAME): a working directory with a directory `links` and two with a file of the same length of path."""

    def make(name):
        top = tmp_path / name
        for part in ("links", "good", "evil"):
            (top / part).mkdir(parents=True)
        for part in ("good", "evil"):
            file = top / part / "file"
            file.write_text("content\n")
            file.chmod(0o640)
            os.setxattr(file, "user.there", b"x")
        return top

    return make


def granted(tmp_path, program, top, **more):
    lists = {"read": [top / "good", top / "evil"], "exec": [program], "create": [top / "links"], "delete": [top / "links"]}
    lists["create"] = lists["create"] + more.get("create", [])
    return attacks.profile(tmp_path / "p.toml", write=more.get("write", []), **lists)


def test_R12_each_call_on_a_file_that_may_be_read(sandlock, program, tmp_path, place):
    top = place("confined")
    evil = top / "evil" / "file"
    before = attributes(evil)
    allowed = granted(tmp_path, program, top)
    confined = attacks.confined(sandlock, allowed, [program, "each", evil], cwd=top)
    after = attributes(evil)
    # It is opened for reading, which may set the access time.
    assert after[:5] + after[6:] == before[:5] + before[6:]
    attacks.compare(confined, {name: "EACCES" for name in confined})
    top = place("bare")
    bare = attacks.call([program, "each", top / "evil" / "file"], cwd=top)
    assert bare.keys() == confined.keys() and len(bare.keys() - LEGACY) == 42
    attacks.compare(bare, {name: "SUCCEEDED" for name in bare})


@pytest.mark.parametrize("right", ["write", "create"])
def test_R12_each_call_on_what_may_be_written_or_created(sandlock, program, tmp_path, place, right):
    top = place("confined")
    file = top / "good" / "file"
    entry = file if right == "write" else file.parent
    allowed = granted(tmp_path, program, top, **{right: [entry]})
    before = attributes(file)
    confined = attacks.confined(sandlock, allowed, [program, "each", file], cwd=top)
    attacks.compare(confined, {name: "SUCCEEDED" for name in confined})
    after = attributes(file)
    assert stat.S_IMODE(after[0]) == 0o700 or stat.S_IMODE(after[0]) == 0o770
    assert after[6]["user.attack"] == b"x" and after != before


@pytest.mark.parametrize("how", ["path", "link", "descriptor", "directory", "empty"])
def test_R12_a_race_never_reaches_the_other_file(sandlock, program, tmp_path, place, how):
    """A second thread puts a file that may only be read in the place of one that may be changed, during every call."""

    def names(top):
        end = [] if how == "directory" else ["file"]
        return [str(top.joinpath(part, *end)) for part in ("good", "evil")]

    top = place("confined")
    evil = top / "evil" / "file"
    before = attributes(evil)
    allowed = granted(tmp_path, program, top, create=[top / "good"])
    # On a busy machine the second thread may get no turn in a whole round: rounds go on until both outcomes were met.
    changed = failed = rounds = 0
    while not (changed and failed):
        rounds += 1
        assert rounds <= 10, f"no race was run: {changed} changed, {failed} failed"
        confined = attacks.confined(sandlock, allowed, [program, "race", how, *names(top), str(TRIES)], cwd=top)
        after = attributes(evil)
        assert after[:5] + after[6:] == before[:5] + before[6:]
        assert int(confined["changed"]) + int(confined["failed"]) == TRIES
        changed += int(confined["changed"])
        failed += int(confined["failed"])
    top = place("bare")
    evil = top / "evil" / "file"
    before = attributes(evil)
    for _ in range(10):
        attacks.call([program, "race", how, *names(top), str(TRIES)], cwd=top)
        if attributes(evil) != before:
            break
    assert attributes(evil) != before
