"""What learn writes about files, promise by promise. The corpus (test_corpus_*.py) shows that it is enough; this that it is
right and no more."""

import json
import os
import pathlib
import pwd
import re
import signal
import subprocess
import sys
import time
import uuid

import pytest

from conftest import IN_PLACE, LEARN_MODE, is_root

PYTHON = "/usr/bin/python3"


def libraries(program):
    """Canonical paths of the ELF interpreter and of the libraries of a program, as the loader finds them."""
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=True, env={"LC_ALL": "C"}, stdin=subprocess.DEVNULL)
    paths = [os.path.realpath(p) for p in re.findall(r"(/\S+) \(0x", done.stdout)]
    return [p for p in paths if "/ld-linux" in p or "/ld-" in p], paths


def expected_of(program):
    """What starting a dynamic program needs: (read, exec)."""
    loader, all_of_them = libraries(program)
    program = os.path.realpath(program)
    return {program, *all_of_them, "/etc/ld.so.cache"}, {program, *loader}


@pytest.fixture
def plain(env):
    """No locale files."""
    env["LC_ALL"] = "C"
    env.pop("LANG", None)


def fs(profile):
    """{right: set of paths}, rights without entries left out."""
    from conftest import RIGHTS

    return {right: set(profile.list(right)) for right in RIGHTS if profile.list(right)}


# L1, L3, L5, L6: exact content


def test_L1_cat(learn, plain, box):
    result, path, profile = learn(["cat", "/etc/hostname"])
    read, execute = expected_of("/usr/bin/cat")
    assert fs(profile) == {"read": read | {"/etc/hostname"}, "exec": execute}
    assert profile.tmp is None
    assert profile.data["version"] == 2
    assert set(profile.data) == {"version", "program", "filesystem"}
    assert profile.data["program"]["args"] == ["/etc/hostname"]
    assert result.stdout == pathlib.Path("/etc/hostname").read_text()
    assert box.tool("profile", "check", path).status == 0


def test_L1_L12_static(learn, plain, box, program):
    legacy = program("legacy", cc="musl-gcc")
    file = box.file("old", "text\n")
    _, _, profile = learn([legacy, "old"])
    assert fs(profile) == {"read": {str(file), legacy}, "exec": {legacy}, "create": {str(box.work)}, "delete": {str(box.work)}}


def test_L3_ls(learn, run, plain, box):
    _, path, profile = learn(["ls", "/etc"])
    assert profile.list("list") == ["/etc"]
    assert not [p for p in profile.list("read") if p.startswith("/etc") and p != "/etc/ld.so.cache"]
    assert run(path).stdout == box.call(["ls", "/etc"]).stdout
    assert box.denied(profile, "/etc/hostname")
    refused = run(path, ["cat", "/etc/hostname"], "-r", "/usr/bin/cat")
    assert refused.status == 1 and "Permission denied" in refused.stderr, refused.describe()


def test_L5_reading_does_not_grant_executing(learn, box, plain):
    tool = box.file("tool", "#!/bin/true\n", 0o755)
    _, _, profile = learn(["cat", "tool"])
    assert box.probe(profile, [("read", tool), ("exec", tool), ("write", tool)]) == ["0", "EACCES", "EACCES"]


def test_L5_writing_does_not_grant_reading(learn, box, plain):
    file = box.file("d/f", "text\n")
    other = box.file("d/g", "text\n")
    _, _, profile = learn(["sh", "-c", "echo x >d/f"])
    assert profile.list("write") == [str(file)]
    assert not profile.list("create")
    assert box.probe(profile, [("write", file), ("read", file), ("write", other), ("read", other)]) == ["0", "EACCES", "EACCES", "EACCES"]


def test_L5_listing_grants_neither(learn, box, plain):
    file = box.file("d/f", "text\n", 0o755)
    box.file("d/e/deeper", "text\n")
    _, _, profile = learn(["ls", "d"])
    assert profile.list("list") == [str(box.work / "d")]
    answers = box.probe(profile, [("list", box.work / "d"), ("read", file), ("write", file), ("exec", file), ("list", box.work)])
    assert answers == ["0", "EACCES", "EACCES", "EACCES", "EACCES"]


def test_L5_executing_a_program_is_not_executing_its_neighbours(learn, box, plain):
    _, _, profile = learn(["true"])
    assert not [p for p in profile.list("exec") if os.path.isdir(p)], profile.text
    assert box.probe(profile, [("exec", "/usr/bin/id"), ("exec", "/usr/bin/true")]) == ["EACCES", "0"]


def test_L6_existing_file(learn, box, plain):
    file = box.file("d/f", "text\n")
    _, _, profile = learn(["sh", "-c", "echo more >>d/f; : >d/f"])
    assert (profile.list("write"), profile.list("create"), profile.list("delete")) == ([str(file)], [], [])
    assert box.probe(profile, [("create", box.work / "d/new")]) == ["EACCES"]


def test_L6_new_file(learn, box, plain):
    box.file("d/f", "text\n")
    _, _, profile = learn(["sh", "-c", "echo new >d/new; mkdir d/m; ln -s f d/l"])
    assert (profile.list("write"), profile.list("create"), profile.list("delete")) == ([], [str(box.work / "d")], [])
    assert box.probe(profile, [("create", box.work / "other"), ("read", box.work / "d/f")]) == ["EACCES", "EACCES"]


def test_L6_removed_file(learn, box, plain):
    box.file("d/f", "text\n")
    box.file("d/e/f", "text\n")
    _, _, profile = learn(["sh", "-c", "rm d/f d/e/f; rmdir d/e"])
    assert (profile.list("write"), profile.list("create")) == ([], [])
    assert set(profile.list("delete")) in ({str(box.work / "d")}, {str(box.work / "d"), str(box.work / "d/e")})
    assert box.probe(profile, [("delete", box.box / "home/.ssh/id_secret")]) == ["EACCES"]


def test_L6_new_below_new(learn, box, plain):
    """What is made below a directory that was made counts on what was there before."""
    (box.work / "d").mkdir()
    _, _, profile = learn(["sh", "-c", "mkdir -p d/a/b && echo 1 >d/a/b/c && cat d/a/b/c && rm -r d/a"])
    directory = str(box.work / "d")
    assert profile.list("create") == [directory]
    assert profile.list("delete") == [directory]
    assert directory in profile.list("read"), profile.text
    assert not [p for p in profile.entries() if p.startswith(directory + "/")], profile.text


# L4: outcomes

FAILING = """
import os
def attempt(f, *a):
    try: f(*a)
    except OSError as e: print(e.errno)
    else: print('worked', f, a)
for path in ('none', 'd/none/x', 'd/f/x', 'd/f/', 'loop', '/etc/none', 'x' * 300, 'locked/x'):
    attempt(os.open, path, os.O_RDONLY)
    attempt(os.open, path, os.O_RDWR)
attempt(os.open, 'd/f', os.O_CREAT | os.O_EXCL | os.O_WRONLY)
attempt(os.open, 'd', os.O_WRONLY)
attempt(os.open, 'd/f', os.O_DIRECTORY)
attempt(os.open, 'link', os.O_NOFOLLOW)
attempt(os.listdir, 'd/f')
attempt(os.mkdir, 'd')
attempt(os.mkdir, 'd/f')
attempt(os.mkdir, 'none/x')
attempt(os.rmdir, 'd')
attempt(os.rmdir, 'd/f')
attempt(os.unlink, 'none')
attempt(os.unlink, 'd')
attempt(os.rename, 'none', 'd/x')
attempt(os.rename, 'd', 'd/e/x')
attempt(os.rename, 'd/f', 'd/e')
attempt(os.link, 'none', 'x')
attempt(os.link, 'd/f', 'link')
attempt(os.link, 'd', 'x')
attempt(os.symlink, 'a', 'link')
attempt(os.truncate, 'none', 0)
attempt(os.truncate, 'd', 0)
attempt(os.mkfifo, 'd/f')
attempt(os.chmod, 'none', 0o600)
attempt(os.execv, 'none', ['none'])
attempt(os.execv, 'd/f', ['f'])
attempt(os.execv, 'd', ['d'])
attempt(os.open, '/dev/full/x', os.O_RDONLY)
attempt(os.chdir, 'none')
"""


def test_L4_failed_calls_leave_nothing(learn, box, plain):
    box.file("d/f", "text\n")
    (box.work / "d/e").mkdir()
    (box.work / "link").symlink_to("d/f")
    (box.work / "loop").symlink_to("loop")
    locked = box.work / "locked"
    locked.mkdir()
    program = box.file("program.py", "")
    _, _, nothing = learn([PYTHON, "-S", "program.py"])
    program.write_text(FAILING)
    result, _, profile = learn([PYTHON, "-S", "program.py"])
    assert "worked" not in result.stdout, result.describe()
    assert fs(profile) == fs(nothing)
    assert not profile.partial


def test_L4_permission_denied_leaves_nothing(learn, box, plain):
    """Refused by file modes: as an ordinary user for real, as root after giving up the capabilities."""
    box.file("secret", "text\n", 0)
    box.file("closed/f", "text\n")
    (box.work / "closed").chmod(0)
    become = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    try:
        # A root without capabilities still owns the files: mode 0 refuses the owner as well.
        result, _, profile = learn([*become, "sh", "-c", "cat secret; cat closed/f; echo x >secret; echo x >closed/n; ls closed; exit 0"])
        assert result.stderr.lower().count("permission denied") == 5, result.describe()
        assert not [p for p in profile.entries() if p.startswith(str(box.work)) and p != str(box.work)], profile.text
    finally:
        (box.work / "closed").chmod(0o700)


def test_L4_mkdir_of_existing_parents(learn, box, plain):
    name = f"sandlock-test-{uuid.uuid4().hex}"
    path = pathlib.Path("/tmp") / name
    try:
        _, _, profile = learn(["mkdir", "-p", f"{path}/b/c"])
    finally:
        for directory in (path / "b/c", path / "b", path):
            if directory.is_dir():
                directory.rmdir()
    assert profile.list("create") == ["/tmp"]
    assert not {"/", "/tmp"} & (set(profile.list("write")) | set(profile.list("delete")) | set(profile.list("read")))


def test_L4_mkdir_of_what_is_there(learn, box, plain):
    (box.work / "a/b").mkdir(parents=True)
    _, _, profile = learn(["mkdir", "-p", "a/b"])
    assert not profile.list("create"), profile.text


def test_L4_connection_refused(learn, box, plain):
    """A refused connection to a socket that is a file grants nothing on it."""
    code = "import socket; s = socket.socket(socket.AF_UNIX)\ntry: s.connect('sock')\nexcept OSError as e: print(e.errno)"
    made = "import socket; socket.socket(socket.AF_UNIX).bind('sock')"
    box.call([PYTHON, "-c", made])
    result, _, profile = learn([PYTHON, "-S", "-c", code])
    assert result.stdout == "111\n"
    assert str(box.work / "sock") not in profile.entries(), profile.text


def test_L2_program_that_fails(learn, run, box, plain):
    """A failed command leaves no profile, with --keep-failed it does, and replays with the same status."""
    box.file("f", "text\n")
    result, path, profile = learn(["sh", "-c", "cat f; exit 7"], check=False)
    assert (result.status, profile) == (7, None)
    result, path, profile = learn(["sh", "-c", "cat f; exit 7"], "--keep-failed", check=False)
    assert result.status == 7 and profile
    assert (run(path).status, run(path).stdout) == (7, "text\n")


# L12: who makes the call


def test_L12_threads_children_grandchildren(learn, box, plain, program):
    for cc in ("gcc", "musl-gcc"):
        box.save()
        file = box.file("old", "text\n")
        legacy = program("legacy", cc=cc)
        _, _, profile = learn([legacy, "old", "children"])
        read, execute = expected_of("/usr/bin/cat")
        assert fs(profile) == {
            "read": read | {legacy, str(file)}, "exec": execute | {legacy}, "create": {str(box.work)}, "delete": {str(box.work)},
        }  # fmt: skip
        box.restore()


# L13: scripts, applets, names


def test_L13_script(learn, run, box, plain):
    tool = box.file("tool", '#!/bin/sh -u\necho "$0 $1"\n', 0o755)
    _, path, profile = learn(["./tool", "an argument"])
    assert str(tool) in profile.list("exec") and str(tool) in profile.list("read"), profile.text
    assert os.path.realpath("/bin/sh") in profile.list("exec")
    assert run(path).stdout == "./tool an argument\n"
    # Another script with the same interpreter is not started.
    other = box.file("other", "#!/bin/sh\n", 0o755)
    assert box.probe(profile, [("exec", other)]) == ["EACCES"]


def test_L13_argv0(learn, run, box, plain, program):
    """A program that looks at argv[0] sees the same, also when it was found through PATH or is a symbolic link."""
    tool = box.file("tool.py", f"#!{PYTHON} -S\nimport sys; print(open('/proc/self/cmdline').read().split(chr(0))[:-1], sys.argv)\n", 0o755)
    (box.work / "bin").mkdir()
    (box.work / "bin/alias").symlink_to(tool)
    result, path, _ = learn(["alias", "x"], env={"PATH": f"{box.work}/bin:/usr/bin"})
    assert run(path, env={"PATH": f"{box.work}/bin:/usr/bin"}).stdout == result.stdout
    # Also from an environment whose PATH does not lead there.
    assert "alias" in run(path).stdout
    busybox = box.work / "bin/echo"
    busybox.symlink_to("/bin/busybox")
    result, path, profile = learn(["echo", "applet"], env={"PATH": f"{box.work}/bin"})
    assert result.stdout == "applet\n"
    assert run(path).stdout == "applet\n"
    assert "/usr/bin/echo" not in profile.list("exec")


# L14: the working directory


def test_L14_working_directory(learn, run, box, plain):
    here = box.file("here/data", "here\n").parent
    there = box.file("there/data", "there\n").parent
    result, path, profile = learn(["sh", "-c", "pwd; cat data; cat ../here/data"], cwd=here)
    assert result.stdout == f"{here}\nhere\nhere\n"
    assert "cwd" not in profile.data["program"]
    assert run(path, cwd=here).stdout == result.stdout
    elsewhere = run(path, cwd=there)
    assert elsewhere.stdout == f"{there}\nhere\n" and "Permission denied" in elsewhere.stderr
    moved = run(path, (), "--cwd", here, cwd=there)
    assert moved.stdout == result.stdout, moved.describe()


# L2: the older format

VERSION_1 = {
    "cat": ["cat", "/etc/hostname", "d/f"],
    "list": ["ls", "d"],
    "write": ["sh", "-ec", "echo x >d/f; echo y >d/new; mv d/new d/g; rm d/g; mkdir d/m; cat d/f"],
    "script": ["./tool", "x y"],
    "gcc": ["gcc", "-o", "prog", "p.c"],
}  # fmt: skip


@pytest.mark.parametrize("name", VERSION_1)
def test_L2_version_1(name, replays, box, plain):
    box.file("d/f", "text\n")
    box.file("p.c", "int main(void) { return 0; }\n")
    box.file("tool", '#!/bin/sh\necho "$@"\n', 0o755)
    profile = replays(VERSION_1[name], options=("--profile-version", "1"), ignore=("prog",))
    assert "version" not in profile.data and set(profile.data["filesystem"]) <= {"read", "write"}, profile.text


# L15: /proc/self

PROC = """
import os, subprocess, sys, threading
def look(who):
    pid = os.getpid()
    for name in ('maps', 'status', 'comm', 'cmdline', 'environ', 'stat', 'limits', 'mountinfo'):
        assert open(f'/proc/self/{name}').read() or name == 'environ', name
        assert open(f'/proc/{pid}/{name}').read() or name == 'environ', name
    open('/proc/thread-self/status').read()
    open(f'/proc/self/task/{threading.get_native_id()}/status').read()
    assert os.listdir('/proc/self/fd') and os.listdir('/proc/self/task')
    assert f'{pid}' == os.readlink('/proc/self')
    assert 'python' in os.readlink('/proc/self/exe')
    print(who, flush=True)
if len(sys.argv) > 1:
    look('what is executed')
    sys.exit()
look('process')
t = threading.Thread(target=look, args=('thread',)); t.start(); t.join()
p = os.fork()
if not p:
    look('child')
    subprocess.run([sys.executable, '-S', 'program.py', 'x'], check=True)
    os._exit(0)
assert os.waitpid(p, 0)[1] == 0
"""


def test_L15_proc_self(replays, box, plain):
    box.file("program.py", PROC)
    profile = replays([PYTHON, "-S", "program.py"])
    entries = [p for p in profile.entries() if p.startswith("/proc")]
    assert "/proc/self/maps" in entries
    assert all(re.fullmatch(r"/proc/(self|thread-self)(/.*)?", p) for p in entries), entries
    outsider = subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL)
    try:
        requests = [("read", f"/proc/{pid}/{name}") for pid in (outsider.pid, os.getpid(), 1) for name in ("maps", "environ", "status", "cmdline")]
        requests += [("list", f"/proc/{outsider.pid}/fd"), ("list", "/proc")]
        answers = box.probe(profile, requests)
        assert set(answers) == {"EACCES"}, list(zip(requests, answers))
        assert box.probe(profile, [("read", "/proc/self/maps"), ("read", "/proc/self/wchan")]) == ["0", "EACCES"]
    finally:
        outsider.kill()
        outsider.wait()


def test_L15_another_process_of_the_command(learn, run, box, plain):
    """A profile grants each process its own entries and its children's; the others' are said."""
    result, path, profile = learn(["sh", "-c", "sleep 5 & while read -r name </proc/$!/comm && [ \"$name\" = sh ]; do :; done; cat /proc/$!/comm; kill $!"])
    assert result.stdout == "sleep\n"
    assert [m for m in result.messages if "/proc/PID/comm" in m and "warning" in m], result.describe()
    assert profile.partial
    refused = run(path)
    assert refused.stdout == "" and "Permission denied" in refused.stderr, refused.describe()


# L16: names


def test_L16_unusual_names(replays, box, plain):
    names = ["new\nline", "quote\"d", "back\\slash", "tab\tbed", "ünïcödé", "esc\x1b[31m", "del\x7f", " lead", "#hash", "[x]", "'single'", "u\u2028x", "😀"]
    for name in names:
        box.file(f"d/{name}", name)
    profile = replays(["cat", "--", *(f"d/{name}" for name in names)])
    assert {str(box.work / "d" / name) for name in names} <= set(profile.list("read"))
    assert "\x1b" not in profile.text and "\x7f" not in profile.text
    assert box.tool("profile", "check", profile.path).status == 0


def test_L16_not_utf8(learn, run, box, plain):
    raw = os.fsencode(box.work) + b"/n\xffme"
    pathlib.Path(os.fsdecode(raw)).write_text("text\n")
    box.file("f", "other\n")
    result, path, profile = learn(["sh", "-c", "cat n*me; cat f"])
    warnings = [m for m in result.messages if "n\\xffme" in m]
    assert warnings, result.describe()
    assert profile.partial
    assert str(box.work / "f") in profile.list("read")
    again = run(path)
    assert again.stdout == "other\n" and "Permission denied" in again.stderr, again.describe()


def test_L16_not_utf8_argument(learn, box, plain):
    """An argument that TOML cannot hold is said, not mangled."""
    result, _, profile = learn([b"/usr/bin/printf", b"%s", b"a\xffb"], check=False)
    assert result.status == 0, result.describe()
    assert [m for m in result.messages if "\\xff" in m], result.describe()


# L17: replacing


def test_L17_replaced_file_stays_usable(learn, run, box, plain):
    file = box.file("d/f", "old\n")
    _, path, profile = learn(["sh", "-c", "cat d/f; echo new >d/f.tmp.$$ && mv d/f.tmp.$$ d/f && cat d/f"])
    assert not [p for p in profile.entries() if "tmp" in os.path.basename(p)], profile.text
    for _ in range(3):
        before = file.read_text()
        again = run(path)
        assert (again.status, again.stdout) == (0, before + "new\n"), again.describe()
    inside = run(path, ["sh", "-c", "for i in 1 2 3; do echo $i >d/x$i && mv d/x$i d/f && cat d/f; done"], "-r", "/usr/bin")
    assert inside.stdout == "1\n2\n3\n", inside.describe()


def test_L17_mkstemp_beside_the_file(learn, run, box, plain):
    box.file("d/f", "old\n")
    code = "import tempfile, os; f = tempfile.NamedTemporaryFile('w', dir='d', delete=False); f.write('new'); f.close(); os.chmod(f.name, 0o640); os.replace(f.name, 'd/f'); print(open('d/f').read())"
    _, path, profile = learn([PYTHON, "-c", code])
    assert not [p for p in profile.entries() if re.search(r"/tmp\w{8}$", p)], profile.text
    for _ in range(2):
        again = run(path)
        assert (again.status, again.stdout) == (0, "new\n"), again.describe()


def test_L17_lock_file_of_its_own(learn, run, box, plain):
    """Made with O_EXCL and removed: the name is not in the profile, the next run makes it again."""
    (box.work / "d").mkdir()
    _, path, profile = learn(["sh", "-ec", "set -C; echo $$ >d/lock; trap 'rm d/lock' EXIT; test -e d/lock"])
    assert not [p for p in profile.entries() if p.endswith("lock")], profile.text
    assert run(path).status == 0 and not (box.work / "d/lock").exists()


# L18: the same again


def test_L18_identical(box, plain, env):
    box.file("program.py", "import multiprocessing as m, os, tempfile\ndef f(i):\n open(f'out/{os.getpid()}', 'w').write('x'); os.unlink(f'out/{os.getpid()}'); return open('/etc/hostname').read()\n"
             "if __name__ == '__main__':\n with m.Pool(3) as p: p.map(f, range(12))\n tempfile.mkdtemp()\n")  # fmt: skip
    (box.work / "out").mkdir()
    texts = {box.learn([PYTHON, "-B", "program.py"])[2].without_date() for _ in range(3)}
    assert len(texts) == 1, "\n".join(texts)


def test_L18_sorted_one_entry_a_line(learn, box, plain):
    _, _, profile = learn(["sh", "-c", "cat /etc/hostname; ls /etc /usr >/dev/null"])
    for right, paths in fs(profile).items():
        assert profile.list(right) == sorted(paths, key=os.fsencode), right
        for path in paths:
            assert re.search(rf'^\s*"{re.escape(path)}",?$', profile.text, re.M), profile.text


# L19: interrupted


def marked_processes(mark):
    """Processes whose environment holds the mark, zombies left out."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark.encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                pass
    return found


def wait_for(condition, timeout_s=60):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.05)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_L19_interrupted(sent, box, env, plain):
    mark = f"sandlock-mark-{uuid.uuid4().hex}"
    profile = box.new_profile()
    profile.write_text("# the old one\nversion = 2\n")
    box.file("f", "text\n")
    script = "cat f; echo x >$TMPDIR/left; echo x >made; (setsid sleep 300 &); (setsid sh -c 'trap \"\" INT TERM; sleep 300; sleep 300' &) ; echo $TMPDIR; sleep 300"
    mounts = pathlib.Path("/proc/self/mountinfo").read_text()
    beside = sorted(box.out.iterdir())
    tool = subprocess.Popen(
        [box.sandlock, *LEARN_MODE, "-o", profile, "--", "sh", "-c", script], cwd=box.work, env=env | {"MARK": mark},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert tool.stdout.readline() == "text\n"
        private = pathlib.Path(tool.stdout.readline().strip())
        wait_for(lambda: len(marked_processes(mark)) >= 4)
        assert private.is_dir() and (private / "left").exists()
        tool.send_signal(sent)
        status = tool.wait(timeout=60)
        assert status == -sent if sent == signal.SIGKILL else status == 128 + sent, (status, tool.stderr.read())
        wait_for(lambda: not marked_processes(mark))
        wait_for(lambda: not private.exists())
    finally:
        tool.kill()
        tool.wait()
        tool.stderr.close()
        tool.stdout.close()
        for pid in marked_processes(mark):
            os.kill(pid, 9)
    assert profile.read_text() == "# the old one\nversion = 2\n"
    assert sorted(box.out.iterdir()) == beside
    assert pathlib.Path("/proc/self/mountinfo").read_text() == mounts


def test_L19_timeout_is_partial(learn, box, plain):
    box.file("f", "text\n")
    start = time.monotonic()
    result, _, profile = learn(["sh", "-c", "cat f; (setsid sleep 300 &); sleep 300"], "--timeout", "1", check=False)
    assert result.status == 124, result.describe()
    assert time.monotonic() - start < 8
    assert profile.partial and str(box.work / "f") in profile.list("read")


def test_L19_output_that_cannot_be_written(learn, box, plain):
    """Found before the command runs."""
    result, _, _ = learn(["touch", "ran"], profile=box.work / "none/p.toml", check=False)
    assert result.status == 125 and not (box.work / "ran").exists(), result.describe()
    result = box.tool(*LEARN_MODE, "-o", box.work, "--", "touch", "ran")
    assert result.status == 125 and not (box.work / "ran").exists(), result.describe()


# L20: protected directories


def test_L20_home_is_not_opened(learn, run, box, plain):
    """What is made at the top of the home would need the home itself: that is held back and said. What stays there is
    granted by its own name, so the command runs again as long as it is there; on the view the user is told to make it."""
    script = "mkdir -p ~/.cache-of-mine/sub && echo 1 >~/.cache-of-mine/sub/f && cat ~/.cache-of-mine/sub/f && touch ~/.settings && echo x >~/.t && rm ~/.t; true"
    result, path, profile = learn(["sh", "-c", script])
    home = str(box.home)
    assert home not in profile.entries(), profile.text
    assert [m for m in result.messages if "held back" in m and f"{home} (read, create, delete)" in m], result.describe()
    assert profile.partial
    box.refuses(profile, [("create", home + "/other"), ("read", home + "/.ssh/id_secret"), ("delete", home + "/.ssh")])
    assert home + "/.cache-of-mine" in profile.list("create")
    assert home + "/.settings" in profile.list("write")
    assert not [e for e in profile.entries() if "sub" in e or e == home + "/.t"], profile.text
    if not IN_PLACE:  # what would stay there has to be made once
        for how, name in (("mkdir", ".cache-of-mine"), ("touch", ".settings")):
            assert [m for m in result.messages if m.endswith(f"has to be there when it is run: {how} {home}/{name}")], result.describe()
        (box.home / ".cache-of-mine").mkdir()
        (box.home / ".settings").touch()
    again = run(path)
    assert again.stdout == "1\n", again.describe()
    assert again.stderr.count("Permission denied") + again.stderr.count("cannot create") > 0, again.describe()  # ~/.t


def test_L20_home_of_the_account(learn, box, plain):
    """Some programs take the home from the user database, whatever HOME says."""
    home = os.path.realpath(pwd.getpwuid(os.geteuid()).pw_dir)
    name = f"{home}/.sandlock-test-{uuid.uuid4().hex}"
    result, _, profile = learn([PYTHON, "-S", "-c", f"import os; open('{name}', 'w'); os.unlink('{name}')"])
    assert home not in profile.entries() and profile.partial, profile.text
    assert [m for m in result.messages if "held back" in m and f"{home} (create, delete)" in m], result.describe()


def test_L20_credentials_are_kept_file_by_file(learn, box, plain, needs):
    """By name, by a symbolic link, by the directory that is listed."""
    (box.work / "link").symlink_to(box.home / ".ssh")
    result, _, profile = learn(["sh", "-c", "cat link/id_secret; ls ~/.ssh; ls -a ~ >/dev/null"])
    secret = str(box.home / ".ssh/id_secret")
    assert secret in profile.list("read")
    assert [m for m in result.messages if "a file among credentials" in m and secret in m], result.describe()
    other = box.home / ".ssh/other"
    other.write_text("x")
    assert box.probe(profile, [("read", secret), ("read", other), ("write", secret)]) == ["0", "EACCES", "EACCES"]
    needs("ssh-keygen")
    result, _, profile = learn(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", box.home / ".ssh/id_new"])
    assert not {str(box.home / ".ssh"), str(box.home)} & profile.entries().keys(), profile.text
    assert box.probe(profile, [("read", secret), ("write", secret)]) == ["EACCES", "EACCES"]


@pytest.mark.parametrize("directory", ["/etc", "/usr/lib"])
def test_L20_guarded_directory_is_said(directory, learn, box, plain):
    """A file made in a system directory: the grant is written with a warning. Only root could; others get no such grant."""
    name = f"{directory}/sandlock-test-{uuid.uuid4().hex}"
    result, _, profile = learn(["sh", "-c", f"echo x >{name} && rm {name}; true"])
    if os.geteuid() == 0:
        assert directory in profile.list("create") and [m for m in result.messages if f"create on {directory}" in m], result.describe()
    else:
        assert not profile.list("create"), profile.text


# L21: temporary files

TEMPORARY = {
    "mktemp": ["sh", "-c", "f=$(mktemp); echo x >$f; d=$(mktemp -d); echo $f $d | tr ' ' '\\n' | sed 's,/[^/]*$,,' | sort -u | wc -l"],
    "gcc": ["gcc", "-o", "prog", "p.c"],
    "sort": ["sh", "-c", "seq 50000 | sort -S 200K | tail -1"],
    "python": [PYTHON, "-c", "import tempfile; f = tempfile.NamedTemporaryFile(); f.write(b'x'); print(tempfile.gettempdir() != '/tmp')"],
    "git": ["sh", "-c", "git init -q r && cd r && echo x >f && git add f && git -c user.name=a -c user.email=a@b commit -qm x && git diff --no-index /dev/null f | tail -1; git hash-object f"],
    "perl": ["perl", "-MFile::Temp", "-e", "my $f = File::Temp->new; print $f 'x'; print -d File::Temp::tempdir(CLEANUP => 1) ? 1 : 0"],
    "here-document": ["bash", "-c", "x=$(printf %0100000d 1); cat <<<$x | wc -c"],
}  # fmt: skip


@pytest.mark.parametrize("name", TEMPORARY)
def test_L21_private_temporary_directory(name, replays, box):
    box.file("p.c", "int main(void) { return 0; }\n")
    before = {n for n in os.listdir("/tmp") if "sandlock" in n}
    profile = replays(TEMPORARY[name], bare=["env", f"TMPDIR={box.out}", *TEMPORARY[name]], ignore=(r"!\.git/objects/.", r"\.git/", "prog"))
    if name != "git":
        assert profile.tmp == "private", profile.text
    assert not [p for p in profile.entries() if p == "/tmp" or p.startswith("/tmp/")], profile.text
    # Other tests make theirs at the same time: only what is ours and stays would be a leak.
    wait_for(lambda: not [n for n in set(os.listdir("/tmp")) - before if "sandlock" in n and os.stat("/tmp/" + n).st_uid == os.geteuid() and time.time() - os.stat("/tmp/" + n).st_mtime > 60])


def test_L21_not_used_not_written(learn, plain):
    assert learn(["true"])[2].tmp is None


def test_L21_shared(learn, box, plain):
    name = f"sandlock-test-{uuid.uuid4().hex}"
    try:
        result, _, profile = learn(["sh", "-c", f"echo ${{TMPDIR:-none}}; echo x >/tmp/{name}"], "--shared-tmp")
    finally:
        pathlib.Path("/tmp", name).unlink(missing_ok=True)
    assert result.stdout == "none\n"
    assert profile.tmp is None and profile.list("create") == ["/tmp"], profile.text


def test_L21_callers_own(learn, run, box, plain):
    """A TMPDIR that the caller set stays, and is learned like any directory."""
    own = box.work / "mine"
    own.mkdir()
    result, path, profile = learn(["sh", "-c", "echo $TMPDIR; f=$(mktemp) && echo x >$f && rm $f"], env={"TMPDIR": str(own)})
    assert result.stdout == f"{own}\n"
    assert profile.tmp is None and profile.list("create") == [str(own)], profile.text
    assert run(path, env={"TMPDIR": str(own)}).stdout == result.stdout


def test_L21_private_at_run(learn, run, box, plain):
    """The run's directory is its own, writable, and gone at the end; /tmp itself stays closed."""
    _, path, profile = learn(["sh", "-c", "f=$(mktemp); echo x >$f; cat $f; echo $f; rm $f"])
    first, second = run(path), run(path)
    places = [pathlib.Path(r.stdout.split()[1]) for r in (first, second)]
    assert first.stdout.startswith("x\n") and places[0].parent != places[1].parent
    assert not [p for p in places if p.parent.exists() and p.parent != pathlib.Path("/tmp")]
    assert box.probe(profile, [("create", "/tmp/sandlock-test-never"), ("list", "/tmp")]) == ["EACCES", "EACCES"]


def test_L21_no_link_into_the_private_directory(learn, run, box, plain):
    """It has all rights, so nothing can be linked into it at run; learn answers the same, and says why."""
    box.file("f", "text\n")
    code = "import os\ntry: os.link('f', os.environ['TMPDIR'] + '/l')\nexcept OSError as e: print(e.errno)"
    result, path, _ = learn([PYTHON, "-S", "-c", code])
    assert result.stdout == "18\n" and [m for m in result.messages if "--shared-tmp" in m], result.describe()
    # Had the directory been used for more, the run's would answer the same.
    result, path, _ = learn([PYTHON, "-S", "-c", code + "\nopen(os.environ['TMPDIR'] + '/t', 'w')"])
    assert run(path).stdout == "18\n"
    _, path, profile = learn([PYTHON, "-S", "-c", "import os; os.mkdir('t'); os.link('f', 't/l')"], "--shared-tmp")
    assert profile.list("create") == [str(box.work)]


# L22: what the program can see of being watched

SEEN = """
import ctypes, json, os, pathlib, resource, socket, sys
def status(*names):
    lines = dict(l.split(':', 1) for l in pathlib.Path('/proc/self/status').read_text().splitlines())
    return {n: lines[n].strip() for n in names}
def attempt(f):
    try: return f()
    except OSError as e: return e.errno
proc = '/proc/self/'
seen = {
    'uname': list(os.uname()), 'hostname': open('/etc/hostname').read(), 'gethostname': socket.gethostname(),
    'status': status('Uid', 'Gid', 'Groups', 'SigBlk', 'SigIgn', 'SigCgt', 'Umask', 'CapEff', 'CapPrm', 'CapBnd', 'CapInh', 'CapAmb', 'Cpus_allowed', 'Threads', 'TracerPid'),
    'limits': open(proc + 'limits').read(), 'sid': os.getsid(0), 'same group as the parent': os.getpgrp() == os.getpgid(os.getppid()),
    'personality': open(proc + 'personality').read(), 'oom': open(proc + 'oom_score_adj').read(), 'coredump': open(proc + 'coredump_filter').read(),
    'namespaces': {n: os.readlink(proc + 'ns/' + n) for n in os.listdir(proc + 'ns')}, 'cgroup': open(proc + 'cgroup').read(),
    'mounts': open(proc + 'mountinfo').read(), 'cwd': os.getcwd(), 'root': os.readlink(proc + 'root'), 'exe': os.readlink(proc + 'exe'),
    'descriptors': {n: os.readlink(proc + 'fd/' + n).split('[')[0] for n in sorted(os.listdir(proc + 'fd'), key=int) if os.path.lexists(proc + 'fd/' + n)},
    'terminals': [os.isatty(i) for i in range(3)], 'terminal': attempt(lambda: os.ttyname(0)), 'foreground': attempt(lambda: os.tcgetpgrp(0)) == os.getpgrp(),
    'nice': os.nice(0), 'scheduler': os.sched_getscheduler(0), 'argv': open(proc + 'cmdline').read(),
    'environment': {k: v for k, v in os.environ.items() if k not in ('TMPDIR', 'TMP', 'TEMP')},
    'dumpable': ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), 'death signal': (lambda v: (ctypes.CDLL(None).prctl(2, ctypes.byref(v)), v.value)[1])(ctypes.c_int()),
    'pid is above 1': os.getpid() > 1, 'init': attempt(lambda: open('/proc/1/comm').read()), 'loginuid': attempt(lambda: open(proc + 'loginuid').read()),
    'timerslack': attempt(lambda: open(proc + 'timerslack_ns').read()), 'children': attempt(lambda: os.waitpid(-1, os.WNOHANG)) if False else 0,
}
print('SEEN' + json.dumps(seen) + 'NEES', flush=True)
"""
CALLER = """
import os, resource, signal, subprocess, sys

signal.signal(signal.SIGUSR1, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2, signal.SIGCHLD])
os.umask(0o026)
resource.setrlimit(resource.RLIMIT_NOFILE, (333, 444))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
os.nice(3)
os.dup2(os.open('f', os.O_RDONLY), 17)
os.set_inheritable(17, True)
os.closerange(3, 17)
os.execvp(sys.argv[1], sys.argv[1:])
"""


def said_to_be_seen(text):
    return json.loads(re.search(r"SEEN(\{.*\})NEES", text)[1])


def what_is_seen(box, command):
    box.file("caller.py", CALLER)
    result = box.call([PYTHON, "-S", "caller.py", *command], restore_signals=False)
    assert result.status == 0, result.describe()
    return said_to_be_seen(result.stdout)


def test_L22_the_program_sees_its_caller(box, plain):
    box.file("f", "text\n")
    box.file("seen.py", SEEN)
    bare = what_is_seen(box, [PYTHON, "-S", "seen.py"])
    profile = box.new_profile()
    learned = what_is_seen(box, [box.sandlock, *LEARN_MODE, "-o", profile, "--", PYTHON, "-S", "seen.py"])
    ran = what_is_seen(box, [box.sandlock, "run", "-p", profile])
    # Root's capabilities are those that a run leaves.
    capabilities = [{k: of["status"].pop(k) for k in [*of["status"]] if k.startswith("Cap")} for of in (bare, learned, ran)]
    assert capabilities[1] == capabilities[2] and (is_root() or capabilities[1] == capabilities[0])
    assert {k: (v, learned[k]) for k, v in bare.items() if learned[k] != v} == {}
    assert {k: (v, ran[k]) for k, v in bare.items() if ran[k] != v and k not in ("init", "status")} == {}


def test_L22_terminal(box, plain, terminal):
    """The same terminal, and the command in its foreground."""
    box.file("seen.py", SEEN)

    def session(command):
        one = terminal(command)
        status = one.wait()
        assert status == 0, one.seen
        seen = said_to_be_seen(one.everything)
        return {k: seen[k] for k in ("terminals", "foreground", "same group as the parent", "death signal")}

    bare = session(["sh", "-c", f"{PYTHON} -S seen.py; exit $?"])
    assert bare["terminals"] == [True] * 3 and bare["foreground"]
    assert session([box.sandlock, *LEARN_MODE, "-o", box.new_profile(), "--", PYTHON, "-S", "seen.py"]) == bare


def test_L22_closed_descriptors(box, plain):
    """A caller without standard input: what the program opens first is 0 there, watched or not."""
    code = "import os; f = os.open('/dev/null', os.O_RDONLY); os.write(2, str(f).encode())"
    command = [PYTHON, "-S", "-c", code]
    script = 'exec 0<&-; exec "$@"'
    bare = box.call(["sh", "-c", script, "sh", *command])
    learned = box.call(["sh", "-c", script, "sh", box.sandlock, *LEARN_MODE, "-o", box.new_profile(), "--", *command])
    assert bare.stderr == learned.stderr == "0", learned.describe()


# tightness: what the summary counts


def ratio(result):
    for line in result.messages:
        found = re.search(r"granted (\d+)(\+?) / used (\d+) = ([\d.]+)", line)
        if found:
            return int(found[1]), int(found[3]), float(found[4])
    raise AssertionError(result.describe())


def test_P6_count_of_what_was_granted(learn, box, plain):
    """Single files are counted once each; a directory that was listed counts the directories below as well."""
    box.file("d/f", "text\n")
    result, _, profile = learn(["cat", "d/f"], "-v")
    granted, used, value = ratio(result)
    assert granted == used == sum(len(paths) for paths in fs(profile).values()) and value == 1.0
    for i in range(10):
        (box.work / f"d/sub{i}").mkdir()
    result, _, profile = learn(["ls", "d"], "-v")
    more, used, _ = ratio(result)
    assert more == used + 10, result.describe()
    result, _, profile = learn(["sh", "-c", "echo x >d/new"], "-v")
    assert [m for m in result.messages if f"create on {box.work}/d opens 1 object that was not used: f" in m], result.describe()


TIGHT = {
    "cat": (["cat", "/etc/hostname"], 1.0),
    "sed": (["sed", "-n", "p", "d/f"], 1.0),
    "python": ([PYTHON, "-I", "-S", "-c", "import json, sqlite3, ssl"], 4.0),  # it lists its directory of modules
    "perl": (["perl", "-MPOSIX", "-e", "1"], 1.0),
    "gcc": (["gcc", "-c", "-o", "d/f.o", "p.c"], 1.2),
}


@pytest.mark.parametrize("name", TIGHT)
def test_P6_tight(name, learn, box, plain):
    command, most = TIGHT[name]
    box.file("d/f", "text\n")
    box.file("p.c", "int main(void) { return 0; }\n")
    result, _, profile = learn(command, "-v")
    assert ratio(result)[2] <= most, f"{result.describe()}\n{profile.text}"
    # A directory is granted only where it was listed, or something was made in it.
    directories = [p for p in profile.list("read") + profile.list("exec") if os.path.isdir(p)]
    assert not [d for d in directories if not d.startswith("/proc") and d not in profile.list("create")], profile.text


def test_L1_interpreter_running_the_tests(learn, box):
    """Whatever Python this is: no directory of its installation is granted but to list it."""
    _, _, profile = learn([sys.executable, "-c", "import json"])
    for right in ("read", "exec", "write", "create", "delete"):
        assert not [p for p in profile.list(right) if os.path.isdir(p) and not p.startswith("/proc")], profile.text
