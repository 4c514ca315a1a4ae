"""A command that is learned on the copy-on-write view reaches nothing real, and nobody outside gains by what it makes there."""

import os
import pathlib
import shutil
import stat
import subprocess
import tempfile

import attacks
import pytest

ROOT = os.geteuid() == 0
OTHER = 65534


@pytest.fixture(scope="session")
def attacker(tmp_path_factory):
    return attacks.attack(tmp_path_factory, "view")


def learn(box, *command):
    """What a command says that is learned on the view, whatever the other tests do."""
    done = box.tool("learn", "-o", box.new_profile(), "--", *command)
    assert done.status == 0, done.describe()
    return done.stdout


def test_L7_what_the_supervisor_opens(box, attacker):
    learned = attacks.results(learn(box, attacker, "open"))
    # A thread that cannot be made to open a reference itself gets nothing of a device in its place.
    attacks.compare(learned, {"autogroup": "EACCES", "comm": "SUCCEEDED", "reference-device": "EACCES"})
    bare = attacks.results(box.call([attacker, "open"]).stdout)
    attacks.compare(bare, {"autogroup": "SUCCEEDED", "comm": "SUCCEEDED", "reference-device": "EBADF"})


def test_L7_programs_with_an_identity_are_no_use_to_others(box, attacker):
    """Set-user-ID programs, and those with capabilities, lie in the upper while they are learned: closed to other users."""
    command = [box.sandlock, "learn", "-o", box.new_profile(), "--", attacker, "identity"]
    with attacks.running(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=box.work, env=box.env) as tool:
        places = attacks.results("".join(tool.stdout.readline() for _ in range(4)))
        assert places.pop("shown") == "4755"
        if not ROOT:
            assert places.pop("later") == "EPERM"
        for place in map(pathlib.Path, places.values()):
            upper = place.parent.parent
            if not ROOT:
                assert stat.S_IMODE(upper.stat().st_mode) == 0o700
                continue
            assert place.stat().st_mode & 0o111 == 0o100
            with pytest.raises(PermissionError):
                subprocess.run([place], user=OTHER, group=OTHER, extra_groups=[], check=False)
        tool.communicate("\n", timeout=60)
        assert tool.returncode == 0


def test_R2_the_time_limit_holds_while_the_supervisor_is_kept_waiting(box, attacker):
    done = box.tool("learn", "-t", "1", "-o", box.new_profile(), "--", attacker, "loop", timeout=30)
    assert done.status == 124, done.describe()
    assert done.elapsed_s < 10 and not list(box.work.iterdir())


def test_L7_L10_sockets_bound_by_any_text(box):
    """However a path leads up, also where nobody can be given a root: all is made within the upper, and then in the view."""
    top = pathlib.Path(tempfile.mkdtemp(dir="/var/tmp", prefix="sl-"))  # such paths are short
    work, upper = top / "work", top / "upper"
    work.mkdir()
    upper.mkdir()
    script = f"""
import os, socket
os.mkdir("made")
for text in ("/../../..{work}/made/1", "/../../../..{work}/2", "{work}/made/../3", "/./..{work}/.././work/4", "../" * 9 + "{work}/5"):
    server = socket.socket(socket.AF_UNIX)
    server.bind(text)
    server.listen()
    client = socket.socket(socket.AF_UNIX)
    client.connect(text)
    client.send(b"x")
    print(server.accept()[0].recv(1))
print(sorted(os.listdir(".")), os.listdir("made"))
"""
    try:
        for prefix in ([], [box.program("no-root")]):
            command = [*prefix, box.sandlock, "learn", "-o", box.new_profile(), "--", "/usr/bin/python3", "-c", script]
            done = box.call(command, env={"TMPDIR": str(upper)}, cwd=work)
            assert done.status == 0, done.describe()
            assert done.stdout.splitlines() == ["b'x'"] * 5 + ["['2', '3', '4', '5', 'made'] ['1']"], done.describe()
            assert not [*upper.iterdir(), *work.iterdir()]
    finally:
        shutil.rmtree(top)


FIFO = """
mkfifo $TMPDIR/f; ln -s $TMPDIR/f link
(sleep 0.1; echo read > $TMPDIR/f) & cat link
(sleep 0.1; cat $TMPDIR/f) & echo written > link; wait
(sleep 0.1; cat link) & echo both > link; wait
ln -s $TMPDIR/new other; echo made > other; echo again > other; cat $TMPDIR/new
"""


def test_L10_a_fifo_of_the_private_directory_behind_a_link(box):
    """Opened by the supervisor, which waits for no peer, since it is the one that has to answer that."""
    assert learn(box, "/bin/sh", "-c", FIFO).split() == ["read", "written", "both", "again"]


NAMESPACES = ["unshare", *(() if ROOT else ("--map-root-user",)), "--mount", "--pid", "--fork", "--mount-proc"]


@pytest.mark.skipif(
    subprocess.run([*NAMESPACES, "true"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode,
    reason="there are no namespaces to mount a procfs in",
)
def test_R6_no_procfs_shows_the_tool(box):
    """Wherever one is mounted, "self" in it is the caller's word, which the supervisor must not look up as itself."""
    other = box.top / "other"
    other.mkdir()
    script = "ln -s ../../other link; for f in environ status comm; do cat link/self/$f link/thread-self/$f; done; cat other/self/comm; true"
    command = f"ln -s ../../other {box.work}/other; mount -t proc proc {other} && exec $SANDLOCK learn -o {box.new_profile()} --clean-env -- /bin/sh -c '{script}'"
    done = box.call([*NAMESPACES, "/bin/sh", "-c", command], env={"SECRET": "of-the-tool", "SANDLOCK": box.sandlock})
    assert done.status == 0, done.describe()
    assert "of-the-tool" not in done.stdout and "sandlock" not in done.stdout, done.describe()
    assert done.stdout.endswith("cat\n"), done.describe()
