"""learn --collapse, --collapse-prefix, --force-sensitive-collapse."""

import os
import re
import sys
import tomllib

import pytest


def collapsed(result):
    return [m for m in result.messages if "collapsed" in m]


@pytest.fixture
def files(box):
    """Five files, of which three are read; and one beside."""
    for name in ("d/1", "d/2", "d/3", "d/4", "d/5", "d/sub/6", "e/1"):
        box.file(name, name)
    return box.work


def test_P6_number(box, files):
    command = ["cat", "d/1", "d/2", "d/3", "d/sub/6", "e/1"]
    result, _, profile = box.learn(command, "--collapse=3")
    d = str(files / "d")
    assert d in profile.list("read") and str(files / "e/1") in profile.list("read"), profile.text
    assert not [p for p in profile.list("read") if p.startswith(d + "/")], profile.text
    assert [m for m in collapsed(result) if f"collapsed 4 entries: read on {d} opens 4 objects that were not used: ., 4, 5, …" in m], result.describe()
    assert not {d, str(files)} & set(profile.list("exec") + profile.list("create") + profile.list("write")), profile.text
    ran = box.run(profile, ["cat", "d/4"])
    assert ran.stdout == "d/4" and box.denied(profile, files / "e", "list")
    for options in (["--collapse"], ["--collapse=5"], []):
        _, _, profile = box.learn(command, *options)
        assert not profile.grants(f"{d}/5", "read"), profile.text


def test_P6_prefix(box, files):
    (box.work / "link").symlink_to("d")
    result, _, profile = box.learn(["sh", "-c", "cat d/1 d/sub/6; echo x >d/2; echo n >d/new; cat e/1"], "--collapse-prefix", "link/../d/.")
    d = str(files / "d")
    for right in ("read", "create"):
        assert [p for p in profile.list(right) if p.startswith(d)] == [d], profile.text
    assert str(files / "e/1") in profile.list("read")
    assert [m for m in collapsed(result) if f"read on {d} opens" in m], result.describe()
    assert not [m for m in result.messages if "warning" in m], result.describe()


def test_P6_every_collapse_is_said_with_its_count(box, files):
    result, _, profile = box.learn(["cat", *(f"d/{i}" for i in range(1, 6))], "-v", "--collapse=5")
    assert f"sandlock: collapsed 5 entries: read on {files}/d opens 3 objects that were not used: ., sub, sub/6" in collapsed(result)
    assert [m for m in result.messages if re.match(r"sandlock: granted \d+ / used \d+ = \d+\.\d\d$", m)], result.describe()
    quiet, _, _ = box.learn(["cat", *(f"d/{i}" for i in range(1, 6))], "-q", "--collapse=5")
    assert not collapsed(quiet)


@pytest.mark.parametrize("directory", ["/etc", "/etc/", "//etc", "/etc/.", "/usr/../etc", "LINK", "/", "/root", "HOME", "HOME/.ssh", "ABOVE"])
def test_L20_P6_a_sensitive_prefix_needs_force(box, directory):
    (box.work / "etc").symlink_to("/etc")
    directory = {"LINK": "etc", "ABOVE": str(box.home.parent)}.get(directory, directory.replace("HOME", str(box.home)))
    path = box.new_profile()
    result = box.tool("learn", "--in-place", "-o", path, "--collapse-prefix", directory, "touch", "ran")
    assert result.status == 2 and len(result.messages) == 1 and "--collapse-prefix" in result.messages[0], result.describe()
    assert not path.exists() and not (box.work / "ran").exists()


def test_L20_P6_forced(box):
    (box.home / "a").write_text("a")
    result, _, profile = box.learn(["cat", box.home / "a"], "--collapse-prefix", box.home, "--force-sensitive-collapse")
    assert str(box.home) in profile.list("read"), profile.text
    assert [m for m in collapsed(result) if "warning: collapsed 1 entry into a sensitive directory" in m and ".ssh/id_secret" in m], result.describe()
    result = box.tool("learn", "--in-place", "--force-sensitive-collapse", "touch", "ran")
    assert result.status == 2 and not (box.work / "ran").exists(), result.describe()


@pytest.mark.parametrize("prefix", ["missing", "file"])
def test_a_prefix_is_a_directory(box, prefix):
    box.file("file")
    result = box.tool("learn", "--in-place", "--collapse-prefix", prefix, "touch", "ran")
    assert result.status == 2 and prefix in result.messages[0] and not (box.work / "ran").exists(), result.describe()


def test_L20_P6_no_sensitive_directory_by_number(box):
    """The files in them by name, the directory by none of its."""
    places = [box.home, box.home / ".ssh", box.work / "x"]
    (box.work / "x" / ".aws").mkdir(parents=True)
    names = []
    for place in places:
        for i in range(5):
            (place / str(i)).write_text("x")
            names.append(place / str(i))
    etc = [f"/etc/{n}" for n in ("hostname", "passwd", "group", "os-release", "hosts", "nsswitch.conf")]
    result, _, profile = box.learn(["cat", *names, *etc], "--collapse=1")
    entries = profile.entries()
    for place in [*places, "/etc", "/usr", "/usr/bin", "/usr/lib", "/", box.work]:
        assert str(place) not in entries, profile.text
    assert {str(n) for n in names} <= set(profile.list("read")), profile.text
    assert not collapsed(result) or "/usr/lib/" in "".join(collapsed(result)), result.describe()


def test_L20_P6_a_prefix_that_holds_a_store(box):
    (box.work / "x" / "deep" / ".gnupg").mkdir(parents=True)
    box.file("x/f", "x")
    result = box.tool("learn", "--in-place", "--collapse-prefix", box.work / "x", "touch", "ran")
    assert result.status == 2 and ".gnupg" in result.messages[0] and not (box.work / "ran").exists(), result.describe()
    result, _, profile = box.learn(["cat", "x/f"], "--collapse-prefix", box.work / "x", "--force-sensitive-collapse")
    assert str(box.work / "x") in profile.list("read"), profile.text


def test_L20_merging_opens_no_sensitive_directory(box):
    """Names that differ from the ones of the old profile, in a store and in a home: each stays a name."""
    store = box.home / ".ssh"
    first, second = ("key-3f786850e387550f", "key-89e6c98d92887913")
    for place in (store, box.home):
        (place / first).write_text("x")
    _, path, _ = box.learn(["cat", store / first, box.home / first])
    for place in (store, box.home):
        (place / first).rename(place / second)
    result = box.tool("learn", "--in-place", "--merge", path, "--collapse=1", "--", "cat", store / second, box.home / second)
    entries = tomllib.loads(path.read_text())["filesystem"]["read"]
    assert {str(p / n) for p in (store, box.home) for n in (first, second)} <= set(entries), result.describe()
    assert not {str(store), str(box.home)} & set(entries) and not [m for m in result.messages if "other names" in m], result.describe()


def test_P6_collapse_of_what_was_merged(box, files):
    _, path, _ = box.learn(["cat", "d/1", "d/2"])
    result = box.tool("learn", "--in-place", "--merge", path, "--collapse=3", "--", "cat", "d/3")
    read = tomllib.loads(path.read_text())["filesystem"]["read"]
    assert str(files / "d") in read and str(files / "d/1") not in read, result.describe()
    assert [m for m in collapsed(result) if "collapsed 3 entries" in m and ": ., 4, 5, …" in m], result.describe()


@pytest.mark.parametrize("right", ["create", "delete"])
def test_P6_sibling_directories_become_their_parent(box, right):
    """Rights that only directories have collapse as the others do, each by itself."""
    def fill():
        for i in range(5):
            box.file(f"o/{i}/old", "x")

    fill()
    script = {"create": "for i in 0 1 2 3; do echo n >o/$i/new; done", "delete": "rm o/0/old o/1/old o/2/old o/3/old"}[right]
    result, path, profile = box.learn(["sh", "-c", script], "--collapse=4", "--shared-tmp")
    o = str(box.work / "o")
    assert [p for p in profile.list(right) if p.startswith(o)] == [o], profile.text
    assert o not in profile.list("read") + profile.list("write") + profile.list({"create": "delete", "delete": "create"}[right]), profile.text
    assert [m for m in collapsed(result) if f"collapsed 4 entries: {right} on {o} opens" in m], result.describe()
    fill()
    assert box.run(path).status == 0
    fill()
    _, _, tight = box.learn(["sh", "-c", script.replace("rm", "rm -f")], "--collapse=5", "--shared-tmp")
    assert o not in tight.list(right), tight.text


@pytest.mark.parametrize("way", ["collapse", "merge"])
def test_L2_P6_a_move_into_a_directory_that_got_more_rights(box, files, way):
    """Landlock refuses a move that would give a file a right that it lacks at its source."""
    move = "import os; os.rename('e/1', 'd/moved')"
    command = ["sh", "-c", f'cat d/1 d/2 d/3 >/dev/null; exec /usr/bin/python3 -c "{move}"']
    options = ["--collapse=3"]
    if way == "merge":
        old = box.new_profile()
        old.write_text(f'version = 2\n[filesystem]\nread = ["{files}/d"]\n')
        options = ["--merge", old]
    _, path, profile = box.learn(command, *options)
    (files / "d/moved").unlink(missing_ok=True)
    box.file("e/1", "x")
    assert str(files / "e") in profile.list("read"), profile.text
    result = box.run(path, command)
    assert result.status == 0 and (files / "d/moved").exists(), f"{result.describe()}\n{profile.text}"


def test_P6_version_1(box, files):
    _, _, profile = box.learn(["cat", *(f"d/{i}" for i in range(1, 5))], "--collapse=4", "--profile-version=1")
    assert str(files / "d") in profile.list("read"), profile.text


def test_P6_a_python_program(box):
    """As one would shrink a profile: the libraries' files below one directory, nothing else."""
    tree = box.work / "share" / "package"
    (tree / "sub").mkdir(parents=True)
    for i in range(80):
        (tree / f"m{i}.py").write_text("x = 1\n")
    program = box.file("p.py", f"import sys; sys.path.insert(0, {str(tree)!r})\n" + "".join(f"import m{i}\n" for i in range(80)))
    command = [os.path.realpath(sys.executable), "-B", "-S", program]
    _, _, long = box.learn(command)
    _, path, short = box.learn(command, "--collapse-prefix", box.work / "share")
    assert len(long.text.splitlines()) > 100 and len(short.text.splitlines()) < 60, short.text
    assert box.run(path).status == 0
    added = {p for r in ("read", "list", "exec", "write") for p in short.list(r)} - set(long.entries())
    assert added == {str(box.work / "share")}


ZONES = """
import os, zoneinfo
names = sorted(os.listdir("/usr/share/zoneinfo/Europe"))
for name in names:
    zoneinfo.ZoneInfo("Europe/" + name)
print(len(names) > 40)
"""


@pytest.mark.parametrize("arguments", [["-S", "-c", ZONES], ["-m", "pytest", "--version"]], ids=["zones", "pytest"])
def test_P6_a_profile_of_the_systems_python(box, arguments):
    """--collapse-prefix for what lies in /usr/share, and for python's own trees where a package needs much of them."""
    python, trees = "/usr/bin/python3", ["/usr/share"]
    if arguments[0] == "-m":
        where = "import os, pytest as p; d = os.path.dirname; print(d(os.__file__), d(d(p.__file__)))"
        trees += box.call([python, "-I", "-c", where]).stdout.split()
    command = [python, "-I", *arguments]
    _, _, long = box.learn(command)
    result, path, short = box.learn(command, *(word for tree in trees for word in ("--collapse-prefix", tree)))
    assert len(long.text.splitlines()) > 90 and len(short.text.splitlines()) < 60, short.text
    assert set(short.entries()) - set(long.entries()) <= {os.path.realpath(tree) for tree in trees}, result.describe()
    opened = [e for e in short.entries() if e.startswith(("/etc", str(box.home)))]
    assert not [e for e in opened if os.path.isdir(e)], short.text
    assert box.run(path).status == 0 and [m for m in collapsed(result) if f"read on {trees[-1]} opens" in m], result.describe()
