"""learn --merge: what is observed is added to a profile that is there."""

import os
import stat
import subprocess
import tomllib

import pytest

OLD = """# mine
version = 2

[program]
exec = "/bin/old" # the first

[filesystem]
# by hand
read = [
  "/by/hand", # why
]
deny = ["/by/hand/secret"]

[syscalls]
allow = ["read"]

[limits]
open_files = 64
"""


def learn(box, merge, command, *options):
    return box.tool("learn", "--in-place", "--merge", merge, *options, "--", *command)


def test_P2_two_inputs_are_both_learned(box):
    one, two = box.file("one", "1"), box.file("two", "2")
    _, path, _ = box.learn(["cat", one])
    result = learn(box, path, ["cat", two])
    assert result.status == 0 and result.stdout == "2", result.describe()
    for name in (one, two):
        ran = box.run(path, ["cat", name])
        assert (ran.status, ran.messages) == (0, []), ran.describe()
    assert box.run(path, ["cat", box.file("three", "3")]).status != 0
    data = tomllib.loads(path.read_text())
    assert data["program"]["args"] == [str(one)]
    before = path.read_text()
    assert learn(box, path, ["cat", two]).status == 0
    assert path.read_text() == before


def test_P2_what_stood_there_stays(box):
    path = box.file("p.toml", OLD.replace('[syscalls]\nallow = ["read"]\n\n', ""), mode=0o640)
    link = box.work / "link.toml"
    link.symlink_to("p.toml")
    result = learn(box, link, ["cat", box.file("x", "x")], "--max-open-files=128")
    assert result.status == 0, result.describe()
    text = path.read_text()
    data = tomllib.loads(text)
    assert link.is_symlink() and stat.S_IMODE(path.stat().st_mode) == 0o640
    assert data["program"] == {"exec": "/bin/old"} and data["filesystem"]["deny"] == ["/by/hand/secret"]
    assert data["limits"] == {"open_files": 128} and str(box.work / "x") in data["filesystem"]["read"]
    for line in ("# mine", 'exec = "/bin/old" # the first', '  "/by/hand", # why', "# by hand"):
        assert line in text.splitlines(), text
    assert text.startswith("# sandlock profile, version 2\n# written by sandlock "), text
    again = learn(box, link, ["cat", box.work / "x"], "--max-open-files=100")
    assert again.status == 0 and path.read_text() == text, again.describe()


def test_P2_no_limit_is_added(box):
    path = box.file("p.toml", "version = 2\n")
    result = learn(box, path, ["true"], "--max-open-files=128", "--cpu-cores=0")
    assert result.status == 0 and "limits" not in tomllib.loads(path.read_text()), result.describe()


def test_P2_the_old_profile_is_read_first(box):
    for text, status in (("version = 2\nfoo = 1\n", 125), (None, 125)):
        path = box.file("bad.toml", text) if text else box.work / "missing.toml"
        result = learn(box, path, ["touch", "ran"])
        assert result.status == status and len(result.messages) == 1, result.describe()
        assert str(path) in result.messages[0] and not (box.work / "ran").exists()
        assert path.exists() == bool(text) and (not text or path.read_text() == text)


def test_P2_a_failing_command_changes_nothing(box):
    path = box.file("p.toml", "# as it was\nversion = 2\n")
    result = learn(box, path, ["sh", "-c", "cat /etc/hostname; exit 3"])
    assert result.status == 3 and path.read_text() == "# as it was\nversion = 2\n", result.describe()
    kept = learn(box, path, ["sh", "-c", "cat /etc/hostname; exit 3"], "--keep-failed")
    assert kept.status == 3 and "/etc/hostname" in path.read_text(), kept.describe()


def test_P2_another_output(box):
    path, other = box.file("p.toml", "version = 2\n"), box.work / "other.toml"
    result = learn(box, path, ["cat", "/etc/hostname"], "-o", other)
    assert result.status == 0 and path.read_text() == "version = 2\n" and "/etc/hostname" in other.read_text(), result.describe()
    result = learn(box, path, ["cat", "/etc/hostname"], "-o", "-")
    assert "/etc/hostname" in tomllib.loads(result.stdout)["filesystem"]["read"] and path.read_text() == "version = 2\n"


def test_P2_concurrent_learns_lose_nothing(box):
    path = box.file("all.toml", "version = 2\n")
    names = [box.file(f"in{i}", str(i)) for i in range(8)]
    running = [
        subprocess.Popen([box.sandlock, "learn", "--in-place", "--merge", path, "--", "cat", name], env=box.env, cwd=box.work, stdout=subprocess.DEVNULL)
        for name in names
    ]  # fmt: skip
    assert [p.wait(120) for p in running] == [0] * len(names)
    assert set(map(str, names)) <= set(tomllib.loads(path.read_text())["filesystem"]["read"])
    assert sorted(os.listdir(box.work)) == sorted(["all.toml", *(n.name for n in names)])


def test_P2_what_was_added_meanwhile_stays(box):
    path = box.file("p.toml", "version = 2\n")
    script = f"printf 'version = 2\\n[filesystem]\\nread = [\"/meanwhile\"]\\n' > {path}"
    result = learn(box, path, ["sh", "-c", script])
    assert result.status == 0 and "/meanwhile" in tomllib.loads(path.read_text())["filesystem"]["read"], result.describe()
    result = learn(box, path, ["sh", "-c", f"echo nonsense > {path}"])
    assert result.status == 125 and path.read_text() == "nonsense\n", result.describe()


def test_P2_versions(box):
    path = box.file("p.toml", '[filesystem]\nread = ["/r"]\n')
    assert learn(box, path, ["cat", "/etc/hostname"], "--profile-version=1").status == 0
    data = tomllib.loads(path.read_text())
    assert "version" not in data and {"/r", "/etc/hostname"} <= set(data["filesystem"]["read"]), data
    assert learn(box, path, ["cat", "/etc/hostname"]).status == 0
    data = tomllib.loads(path.read_text())
    assert data["version"] == 2 and "/r" in data["filesystem"]["exec"], data
    result = learn(box, path, ["touch", "ran"], "--profile-version=1")
    assert result.status == 2 and not (box.work / "ran").exists(), result.describe()


@pytest.mark.parametrize("first", [True, False])
def test_P2_partial_stays_said(box, first):
    note = "# partial: the observation did not see everything\n"
    a, b = box.file("a.toml", note * first + "\nversion = 2\n"), box.file("b.toml", note * (not first) + "\nversion = 2\n")
    merged = box.tool("profile", "merge", a, b)
    assert merged.stdout == note + "\nversion = 2\n", merged.describe()
    assert learn(box, a, ["true"]).status == 0
    assert a.read_text().count(note) == first
