"""run --workdir and --dry-run: changes that go to a view under a profile, and what becomes of them."""

import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest
from conftest import PROGRAMS

SYSTEM = ["-r", "/usr", "-r", "/lib", "-r", "/lib64", "-r", "/bin", "-r", "/sbin", "-r", "/etc", "-r", "/proc/self", "-r", "/dev"]
SCRIPT = """
set -e
echo more >> old; echo new > new; mkdir -p d/e; echo deep > d/e/f; ln old hard; ln -s old soft
mv moved d/moved; rm gone; rm -r tree; chmod 700 mode; mv dir renamed; echo in > renamed/in
cat old new d/e/f renamed/in soft; ls
"""


def prepare(box):
    for name in ("old", "moved", "gone", "tree/a/b", "mode", "dir/x"):
        box.file(name, f"{name}\n")
    box.save()


def run(box, script, *options, **call):
    """Run a shell script in a view of the working directory, all of which it may change."""
    return box.tool("run", *SYSTEM, "-w", box.work, "--workdir", box.work, *options, "--", "sh", "-c", script, **call)


def without_times(snapshot):
    return {path: what for path, what in snapshot.items() if path.startswith("work")}


def uppers(box):
    """What views have left in the directory where they are kept."""
    return sorted(p.name for p in box.storage.iterdir())


@pytest.fixture
def box(box):
    """Views are kept below the test's own directory, so that what is left can be told from others'."""
    box.storage = box.top / "storage"
    box.storage.mkdir()
    box.env["TMPDIR"] = str(box.storage)
    box.env["XDG_CACHE_HOME"] = str(box.storage)
    return box


def kept_in(result):
    [found] = re.findall(r'kept in "([^"]+)"', " ".join(result.messages))
    return found


def test_R20_commit_is_what_a_bare_run_leaves(box):
    prepare(box)
    bare = box.call(["sh", "-c", SCRIPT])
    left = without_times(box.snapshot())
    box.restore()
    result = run(box, SCRIPT, "--fs-storage", box.storage)
    assert result.status == 0 and not result.messages, result.describe()
    assert result.stdout == bare.stdout
    assert without_times(box.snapshot()) == left
    assert uppers(box) == []


@pytest.mark.parametrize(
    "script, options, committed",
    [
        ("rm gone", [], True), ("rm gone; exit 3", [], False), ("rm gone", ["--on-exit", "abort"], False),
        ("rm gone; exit 3", ["--on-error=commit"], True), ("rm gone; kill -9 $$", [], False), ("rm gone; sleep 60", ["-t", "0.5"], False),
    ],
)  # fmt: skip
def test_R20_on_exit_and_on_error(box, script, options, committed):
    prepare(box)
    before = box.snapshot(exact=True)
    result = run(box, script, *options, "--fs-storage", box.storage)
    assert result.status == (3 if "exit 3" in script else 137 if "kill" in script else 124 if "sleep" in script else 0), result.describe()
    if committed:
        assert not (box.work / "gone").exists(), result.describe()
    else:
        assert box.snapshot(exact=True) == before
    assert uppers(box) == []


def test_R20_what_the_profile_says(box):
    """config.workdir and fs_storage, filesystem.on_exit and on_error; the command line goes before it."""
    prepare(box)
    profile = box.new_profile()
    profile.write_text(
        f'[config]\nworkdir = "{box.work}"\nfs_storage = "{box.storage}"\n[filesystem]\nread = {toml(existing("/usr", "/lib", "/lib64", "/bin", "/etc"))}\n'
        f'write = ["{box.work}"]\non_exit = "abort"\non_error = "commit"\n'
    )
    for script, options, there in (("rm gone", [], True), ("rm gone", ["--on-exit=commit"], False), ("rm mode; exit 1", [], False)):
        result = box.tool("run", "-p", profile, *options, "--", "sh", "-c", script, cwd="/")
        assert result.status == (1 if "exit" in script else 0) and not result.messages, result.describe()
        assert (box.work / script.split(";")[0].split()[1]).exists() == there and uppers(box) == []


def test_R20_L19_interrupted(box):
    """A signal to the tool is the command's; what it has changed is not committed."""
    prepare(box)
    before = box.snapshot(exact=True)
    ready = box.out / "ready"
    script = f"trap 'exit 0' TERM; rm gone; echo > {ready}; while :; do sleep 0.05; done"
    command = ["run", *SYSTEM, "-w", box.work, "-w", box.out, "--workdir", box.work, "--", "sh", "-c", script]
    tool = subprocess.Popen([box.sandlock, *command], cwd=box.work, env=box.env, stderr=subprocess.PIPE)
    wait_for(ready.exists)
    tool.send_signal(signal.SIGTERM)
    _, stderr = tool.communicate(timeout=60)
    assert tool.returncode == 0, stderr
    assert box.snapshot(exact=True) == before and uppers(box) == []


def test_R20_keep_is_listed_applied_and_dropped(box):
    prepare(box)
    before = box.snapshot(exact=True)
    for end in ("drop", "apply"):
        result = run(box, "echo more >> old; mv moved m2", "--on-exit", "keep", "--fs-storage", box.storage)
        assert result.status == 0 and box.snapshot(exact=True) == before, result.describe()
        kept = kept_in(result)
        work = str(box.work)
        listed = box.tool("workdir", "list", kept)
        assert listed.stdout == f"R 6 6 {work}/moved -> {work}/m2\nM 4 9 {work}/old\n", listed.describe()
        objects = json.loads(box.tool("workdir", "list", "--json", kept).stdout)
        assert objects == [
            {"change": "R", "path": f"{work}/m2", "from": f"{work}/moved", "type": "file", "size_before": 6, "size_after": 6},
            {"change": "M", "path": f"{work}/old", "type": "file", "size_before": 4, "size_after": 9},
        ]
        assert box.tool("workdir", end, kept).status == 0
        assert uppers(box) == []
    assert (box.work / "old").read_text() == "old\nmore\n" and (box.work / "m2").exists()


def test_R20_diff_of_what_was_kept(box):
    prepare(box)
    box.file("binary", b"\0\1")
    script = "echo more >> old; printf '\\0\\2' > binary; rm gone; mv dir moved2; chmod 600 mode; echo n > new"
    kept = kept_in(run(box, script, "--on-exit=keep"))
    shown = box.tool("workdir", "diff", kept)
    w = str(box.work)
    assert shown.status == 0 and not shown.messages, shown.describe()
    assert shown.stdout == (
        f"Binary files a{w}/binary and b{w}/binary differ\n--- a{w}/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone\n"
        f"attributes of {w}/mode\nrenamed {w}/dir -> {w}/moved2\n--- /dev/null\n+++ b{w}/new\n@@ -0,0 +1 @@\n+n\n"
        f"--- a{w}/old\n+++ b{w}/old\n@@ -1 +1,2 @@\n old\n+more\n"
    ), shown.stdout
    assert box.tool("workdir", "drop", kept).status == 0 and uppers(box) == []


COUNT = 1200


def kill_while(box, begun, delay_s):
    """Run a command that changes many files and kill the tool: once it has begun to commit, or while the command runs."""
    script = f"i=0; while [ $i -lt {COUNT} ]; do echo new > f$i; i=$((i+1)); done; echo done > ../out/done"
    command = ["run", *SYSTEM, "-w", box.work, "-w", box.out, "--workdir", box.work, "--", "sh", "-c", script.replace("../out", str(box.out))]
    tool = subprocess.Popen([box.sandlock, *command], cwd=box.work, env=box.env, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while tool.poll() is None and time.monotonic() < end:
        if any(box.storage.glob("*/progress")) if begun else any(box.storage.glob("*/objects-*/0000000*")):
            break
    time.sleep(delay_s)
    tool.send_signal(signal.SIGKILL)
    tool.wait(60)


def wait_for(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.02)


@pytest.mark.parametrize("delay_s", [0, 0.01, 0.03])
def test_R20_L19_killed_while_it_commits(box, delay_s):
    """The same directory's next run ends what was begun; nothing is left."""
    for i in range(COUNT):
        box.file(f"f{i}", "old\n")
    kill_while(box, True, delay_s)
    left = len(uppers(box))
    result = run(box, "true")
    assert result.status == 0, result.describe()
    assert bool(result.messages) == bool(left) and all("going on with" in m for m in result.messages), result.describe()
    assert {(box.work / f"f{i}").read_text() for i in range(COUNT)} == {"new\n"}
    wait_for(lambda: uppers(box) == [])


def test_R20_L19_killed_while_it_runs(box):
    for i in range(COUNT):
        box.file(f"f{i}", "old\n")
    before = box.snapshot(exact=True)
    kill_while(box, False, 0)
    wait_for(lambda: uppers(box) == [])
    assert box.snapshot(exact=True) == before


def test_R20_keep_of_nothing_keeps_nothing(box):
    result = run(box, "true", "--on-exit", "keep", "--fs-storage", box.storage)
    assert result.status == 0 and "nothing was changed" in result.messages[0] and uppers(box) == [], result.describe()


def test_R20_a_conflict_is_never_overwritten(box):
    prepare(box)
    go = box.out / "go"
    box.call(["mkfifo", go])
    script = f"echo mine >> old; echo new > new; cat {go} > /dev/null; rm gone"
    command = ["run", *SYSTEM, "-r", box.out, "-w", box.work, "--workdir", box.work, "--fs-storage", box.storage, "--", "sh", "-c", script]
    tool = subprocess.Popen(
        [box.sandlock, *command], cwd=box.work, env=box.env, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    with open(go, "w") as fifo:  # the command has come so far when it can be opened
        with open(box.work / "old", "a") as old:
            old.write("theirs\n")
        fifo.write("go")
    _, stderr = tool.communicate(timeout=60)
    assert tool.returncode == 125, stderr
    assert "conflict" in stderr and "/work/old" in stderr
    assert (box.work / "old").read_text() == "old\ntheirs\n" and (box.work / "gone").exists() and not (box.work / "new").exists()
    kept = re.search(r'kept in "([^"]+)"', stderr)[1]
    assert box.tool("workdir", "drop", kept).status == 0 and uppers(box) == []


def test_R20_the_profile_holds_and_outside_all_is_real(box):
    """Reading, writing and making need their rights, in the view as outside of it."""
    prepare(box)
    box.file("ro/r", "r\n")
    out = box.box / "other"
    out.mkdir()
    profile = box.new_profile()
    system = ", ".join(f'"{p}"' for p in ("/usr", "/lib", "/lib64", "/bin", "/etc") if os.path.exists(p))
    profile.write_text(
        f'version = 2\n[filesystem]\nread = [{system}, "{box.work}/old", "{box.work}/ro"]\nexec = [{system}]\n'
        f'write = ["{box.work}/old"]\ncreate = ["{box.work}/d", "{out}"]\n[config]\nworkdir = "{box.work}"\n'
    )
    (box.work / "d").mkdir()
    script = f"""
t() {{ if sh -c "$1" > /dev/null 2>&1; then echo yes; else echo no; fi; }}
t 'echo x >> old'; t 'echo x > d/new'; t 'cat d/new'; t 'cat gone'; t 'echo x > gone'; t 'rm gone'; t 'echo x > made'; t 'rm d/new'
t 'echo x > ro/r'; t 'cat old'; t 'chmod 600 old'; t 'chmod 600 gone'; t 'ls .'; t 'ls ro'; t 'mv old d/old'
t 'ln gone d/gone'; t 'ln -s {out} d/o'; t 'echo real > d/o/real'; t 'echo x > {out}/../nowhere'; t 'cat d/o/real'
"""
    result = box.tool("run", "-p", profile, "--", "sh", "-c", script, env={"PATH": "/usr/bin:/bin"})
    expected = "yes yes no no no no no no" " no yes yes no no yes no" " no yes yes no no"
    assert result.stdout.split() == expected.split(), result.describe()
    assert (out / "real").read_text() == "real\n"
    assert (box.work / "old").read_text() == "old\nx\n" and (box.work / "d/new").read_text() == "x\n"
    assert (box.work / "gone").read_text() == "gone\n"


def test_R20_grants_above_the_directory(box):
    """Beside it all is real, and made by way of the supervisor; it itself cannot be moved away."""
    (box.work / "proj").mkdir()
    (box.work / "proj/f").write_text("f\n")
    (box.work / "beside").mkdir()
    script = "echo x > f; echo real > ../new; mkdir ../dir; echo in > ../dir/in; echo b > ../beside/b; mv ../proj ../q 2>/dev/null || echo held; cat ../new"
    result = box.tool("run", *SYSTEM, "-w", box.work, "--workdir", "proj", "--on-exit=abort", "--", "sh", "-c", script)
    assert result.status == 0 and result.stdout == "held\nreal\n", result.describe()
    assert (box.work / "new").read_text() == "real\n" and (box.work / "dir/in").read_text() == "in\n"
    assert (box.work / "beside/b").exists() and (box.work / "proj/f").read_text() == "f\n"


def test_R20_directories_that_come_and_go_outside(box):
    """What the command itself changes for real beside the view is found as it is, at once."""
    (box.work / "proj").mkdir()
    (box.work / "out").mkdir()
    script = """
import os

def put(path, text):
    with open(path, "w") as f:
        f.write(text)

for i in range(200):
    os.mkdir("d"); put("d/f", "x"); os.rename("d", "e"); os.mkdir("d"); put("d/g", str(i))
    assert os.listdir("d") == ["g"] and open("e/f").read() == "x" and open("d/../e/f").read() == "x"
    os.rename("d", "h"); os.rename("e", "d"); put("d/f", "y"); put("h/g", "z"); put("../proj/p", str(i))
    for name in ("d/f", "h/g"):
        os.unlink(name)
    os.rmdir("d"); os.rmdir("h")
    os.makedirs("d/s"); put("d/s/f", "x"); os.rename("d", "h"); os.makedirs("d/s"); put("d/s/t", "x"); os.unlink("d/s/t")
    os.unlink("h/s/f"); os.rmdir("h/s"); os.rmdir("h"); os.rmdir("d/s"); os.rmdir("d")
print(open("../proj/p").read(), os.listdir("."))
"""
    options = ["--workdir", "proj", "--cwd", box.work / "out", "--on-exit=abort"]
    result = box.tool("run", *SYSTEM, "-w", box.work, *options, "--", "python3", "-S", "-c", script)
    assert result.status == 0 and result.stdout == "199 []\n" and not result.stderr, result.describe()


def test_R20_programs_and_directories_of_the_view(box):
    """What was made there is executed and entered; the rights to execute and to read are asked for."""
    shutil.copy("/usr/bin/true", box.work / "true")
    script = """
set -e
cp true t; ./t; mkdir n; mv t n/t; cd n; ./t; pwd; printf '#!/bin/sh\\necho "$0"\\n' > s; chmod 755 s; ./s; cp /usr/bin/readlink r
./r /proc/self/exe; cd ../n; echo x > ../y; cat ../y
"""
    result = run(box, script, "--dry-run")
    assert result.status == 0, result.describe()
    assert result.stderr == f"{box.work}/n\n./s\n{box.work}/n/r\nx\n", result.describe()
    profile = box.new_profile()
    profile.write_text('version = 2\n[filesystem]\n' f'create = ["{box.work}"]\nread = ["{box.work}"]\n')
    result = box.tool("run", "-p", profile, *SYSTEM, "--workdir", box.work, "--", "sh", "-c", "cp true t; chmod 755 t; ./t")
    assert result.status == 126, result.describe()


def test_R21_dry_run_of_make_install(box):
    box.file("Makefile", "prog: prog.c\n\t$(CC) -o prog prog.c\ninstall: prog\n\tmkdir -p $(D)/bin\n\tinstall -m 755 prog $(D)/bin/prog\n\tcd $(D)/bin && ./prog\n")
    box.file("prog.c", '#include <stdio.h>\nint main(void) { puts("built"); return 0; }\n')
    before = box.snapshot(exact=True)
    target = box.box / "root"
    result = box.tool("run", *SYSTEM, "-w", box.box, "-w", box.storage, "--dry-run", "--json", "--", "make", "install", f"D={target}")
    assert result.status == 0 and "built" in result.stderr, result.describe()
    assert box.snapshot(exact=True) == before and not target.exists() and uppers(box) == []
    changes = {c["path"]: (c["change"], c["type"]) for c in json.loads(result.stdout)}
    assert changes == {
        str(target): ("A", "directory"), f"{target}/bin": ("A", "directory"),
        f"{target}/bin/prog": ("A", "file"), f"{box.work}/prog": ("A", "file"),
    }  # fmt: skip


def test_R21_dry_run_of_a_git_commit(box):
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        assert box.call([*git, *command]).status == 0
    box.file("f", "text\n")
    before = box.snapshot(exact=True)
    script = f"git add f && {' '.join(git)} commit -q -m second && git log --oneline | wc -l"
    result = box.tool("run", *SYSTEM, "-r", box.home, "-w", box.work, "--dry-run", "--workdir", ".", "--", "sh", "-c", script)
    assert result.status == 0 and result.stderr.strip() == "2", result.describe()
    assert box.snapshot(exact=True) == before and uppers(box) == []
    assert re.search(rf"^A 0 \d+ {box.work}/.git/COMMIT_EDITMSG$|^M \d+ \d+ {box.work}/.git/COMMIT_EDITMSG$", result.stdout, re.M)


def test_R21_the_status_is_the_commands(box):
    result = run(box, "echo out; echo x > f; exit 7", "--dry-run")
    assert result.status == 7 and result.stdout == f"A 0 2 {box.work}/f\n" and result.stderr == "out\n", result.describe()
    assert not (box.work / "f").exists()


@pytest.mark.parametrize(
    "options, what",
    [
        (["--on-exit", "keep"], "--on-exit"), (["--on-error=abort"], "--on-error"), (["--workdir", ".", "--on-exit", "maybe"], "commit, abort or keep"),
        (["--json"], "--json"), (["--workdir", ".", "--explain"], "--explain"),
    ],
)  # fmt: skip
def test_what_cannot_be_combined(box, options, what):
    result = box.tool("run", *SYSTEM, *options, "--", "true")
    assert result.status == 2 and what in result.messages[0], result.describe()
    assert uppers(box) == []


@pytest.mark.parametrize("options", [["--workdir", "nowhere"], ["--workdir", "file"], ["--workdir", ".", "--fs-storage", "."]])
def test_directories_that_cannot_be_used(box, options):
    box.file("file")
    result = box.tool("run", *SYSTEM, *options, "--", "true")
    assert result.status == 125 and len(result.messages) == 1, result.describe()
    assert uppers(box) == []


def toml(values):
    return "[" + ", ".join(f'"{v}"' for v in values) + "]"


def existing(*paths):
    return [p for p in paths if os.path.exists(p)]


def mixed_tree(box):
    """Directories with each right alone, files with rules of their own, something denied."""
    for name in ("r", "r/moved", "w", "c", "cd", "rcd", "rcd/sub", "rcd/other", "x", "n", "n/sub", "rcd/deny_dir"):
        for leaf in "abfg":
            box.file(f"{name}/{leaf}", f"{name}/{leaf} secret\n", 0o755)
    box.file("rcd/denied", "denied\n")
    ruled = [f"{d}/rule_{kind}" for d in ("n", "cd", "rcd/sub") for kind in "rwx"]
    for name in ruled:
        box.file(name, "#!/bin/sh\nexit 0\n", 0o755)
    system, work = existing("/usr", "/lib", "/lib64", "/bin", "/etc"), lambda *names: [f"{box.work}/{n}" for n in names]
    of = lambda *kinds: work(*(n for n in ruled if n[-1] in kinds))
    path = box.new_profile()
    path.write_text(
        f"version = 2\n[filesystem]\nread = {toml([*system, '/proc/self', PROGRAMS, *work('r', 'rcd', 'x'), *of('r', 'x')])}\n"
        f"exec = {toml([*system, *work('x'), *of('x')])}\nwrite = {toml([*work('w'), *of('w')])}\n"
        f"create = {toml(work('c', 'cd', 'rcd'))}\ndelete = {toml(work('cd', 'rcd'))}\ndeny = {toml(work('rcd/denied', 'rcd/deny_dir'))}\n"
    )
    return path


def test_R22_calls_at_random_go_as_on_the_real_tree(box):
    """The same calls under the same profile, without a view and with one: the same ends, the same texts, the same tree."""
    profile = mixed_tree(box)
    box.save()
    for seed in range(10):
        ends = []
        for options in ([], ["--workdir", box.work]):
            box.restore()
            done = box.tool("run", "-p", profile, *options, "--cwd", box.work, "--", "/usr/bin/python3", "-S", PROGRAMS / "calls-at-random.py", str(seed), "150")
            assert done.status == 0 and not done.messages, done.describe()
            ends.append((re.sub("EACCES|EXDEV|EPERM", "refused", done.stdout).splitlines(), without_times(box.snapshot())))
        (real, real_tree), (view, view_tree) = ends
        differ = [(a, b) for a, b in zip(real, view) if a != b and not ("do_reopen" in b and b.endswith("refused"))]
        assert len(view) == 150 and not differ, f"seed {seed}: {differ[:5]}"
        assert real_tree == view_tree, f"seed {seed}: {set(real_tree.items()) ^ set(view_tree.items())}"


def test_R22_no_way_into_the_views_own_directory(box):
    """The program knows where it is, and its parent is granted."""
    box.file("open/f", "free\n")
    box.file("open/g", "free\n")
    box.file("sealed/old", "sealed text\n")
    profile = box.new_profile()
    profile.write_text(
        f"version = 2\n[filesystem]\nread = {toml([*existing('/usr', '/lib', '/lib64', '/bin', '/etc'), '/proc/self', PROGRAMS, box.work / 'open', box.storage])}\n"
        f"exec = {toml([*existing('/usr', '/lib', '/lib64', '/bin'), box.work / 'open'])}\ncreate = {toml([box.work / 'open', box.work / 'sealed', box.storage])}\n"
        f"delete = {toml([box.work / 'open', box.work / 'sealed', box.storage])}\n"
    )
    result = box.tool("run", "-p", profile, "--workdir", box.work, "--on-exit=abort", "--", "/usr/bin/python3", "-S", PROGRAMS / "attack-view.py", box.storage)
    assert result.status == 0 and result.stdout == "upper known\n", result.describe()
    assert uppers(box) == [], result.describe()


@pytest.mark.parametrize("outside", [False, True])
def test_R22_a_path_that_is_rewritten_during_the_call(box, outside):
    """Threads change paths while calls are looked at: nothing in the directory is changed, whatever is real beside it."""
    racer = box.program("path-race")
    if outside:
        (box.work / "real").mkdir()
        for i in range(8):
            box.file(f"proj/f{i}", f"f {i}\n")
            os.symlink(f"../proj/f{i}", box.work / f"real/lower{i}")
            box.file(f"real/upper{i}", f"upper {i}\n")
        workdir, cwd = box.work / "proj", box.work / "real"
    else:
        for i in range(8):
            box.file(f"lower{i}", f"lower {i}\n")
        workdir, cwd = box.work, box.work
    before = {k: v for k, v in box.snapshot(exact=True).items() if not outside or k.startswith("work/proj")}
    options = ["--workdir", workdir, "--on-exit=abort", "--cwd", cwd]
    result = box.tool("run", *SYSTEM, "-r", os.path.dirname(racer), "-w", box.work, *options, "--", racer, "2")
    assert result.status == 0 and "rounds" in result.stdout, result.describe()
    after = {k: v for k, v in box.snapshot(exact=True).items() if not outside or k.startswith("work/proj")}
    assert after == before


DISK = """
import errno, os, sys

def write(path, count, size=65536, flags=os.O_WRONLY | os.O_CREAT):
    fd = -1
    try:
        fd = os.open(path, flags, 0o600)
        for i in range(count):
            os.write(fd, b"x" * size)
        return "ok"
    except OSError as e:
        return errno.errorcode[e.errno]
    finally:
        if fd >= 0:
            os.close(fd)

def attempt(call, *arguments):
    try:
        call(*arguments)
        return "ok"
    except OSError as e:
        return errno.errorcode[e.errno]

tmp = os.environ["TMPDIR"]
print("within", write("a", 8))
print("one file", write("b", 64))
os.unlink("b")
print("again", write("b", 8))
os.unlink("b")
print("many files", {write(f"many{i}", 1) for i in range(64)} == {"ok", "ENOSPC"})
for i in range(64):
    attempt(os.unlink, f"many{i}")
print("copy-up", write("big", 1, 1, os.O_WRONLY))
print("small copy-up", write("small", 1, 1, os.O_WRONLY))
fd = os.open("sparse", os.O_RDWR | os.O_CREAT)
print("hole", attempt(os.ftruncate, fd, 1 << 30))
print("in the hole", attempt(os.pwrite, fd, b"x", 1 << 29))
print("preallocated", attempt(os.posix_fallocate, fd, 0, 1 << 24))
print("vector", attempt(os.writev, fd, [b"x" * 65536] * 64))
print("private", write(f"{tmp}/t", 64))
os.unlink(f"{tmp}/t")
fd = os.open(f"{tmp}/u", os.O_WRONLY | os.O_CREAT)
os.unlink(f"{tmp}/u")
print("without a name", sorted({attempt(os.write, fd, b"x" * 65536) for i in range(64)}))
os.close(fd)
print("free again", write(f"{tmp}/t", 4))
r, w = os.pipe()
print("pipe", attempt(os.write, w, b"x" * 4096))
print("real", write(sys.argv[1] + "/real", 64))
"""


def test_R23_beyond_the_limit_of_the_disk_writing_ends(box):
    box.file("big", b"x" * (4 << 20))
    box.file("small", "s")
    before = box.snapshot(exact=True)
    profile = box.new_profile()
    profile.write_text(
        f"version = 2\n[filesystem]\ntmp = \"private\"\nread = {toml([*existing('/usr', '/lib', '/lib64', '/bin', '/etc'), box.work])}\n"
        f"exec = {toml(existing('/usr', '/lib', '/lib64', '/bin'))}\ncreate = {toml([box.work, box.out])}\ndelete = {toml([box.work])}\n"
        f'[limits]\ndisk = "2M"\n'
    )
    result = box.tool("run", "-p", profile, "--workdir", box.work, "--on-exit=abort", "--", "/usr/bin/python3", "-S", "-c", DISK, box.out)
    assert result.status == 0, result.describe()
    assert result.stdout.splitlines() == [
        "within ok", "one file ENOSPC", "again ok", "many files True", "copy-up ENOSPC", "small copy-up ok", "hole ok", "in the hole ok",
        "preallocated ENOSPC", "vector ENOSPC", "private ENOSPC", "without a name ['ENOSPC', 'ok']", "free again ok", "pipe ok", "real ok",
    ], result.describe()  # fmt: skip
    assert box.snapshot(exact=True) == before and uppers(box) == []


def test_R23_a_limit_that_nothing_would_hold_is_an_error(box):
    result = box.tool("run", *SYSTEM, "-w", box.work, "--max-disk", "1M", "--", "touch", "ran")
    assert result.status == 125 and "limits.disk" in result.messages[0] and not (box.work / "ran").exists(), result.describe()


def test_R22_a_forged_commit_is_not_gone_on_with(box):
    """Only what sandlock marked itself is applied by the next run; a command can neither mark nor change it unseen."""
    prepare(box)
    kept = kept_in(run(box, "echo forged >> old", "--on-exit=keep"))
    (box.storage / kept / "progress").write_bytes(bytes(8))
    mark = "import os\nfor call in (lambda: os.setxattr(K, 'user.sandlock.commit', b'x'), lambda: os.removexattr(K, 'user.sandlock.commit')):\n"
    mark += "    try: call(); print('marked')\n    except OSError as e: print(e.strerror)\n"
    tried = box.tool("run", *SYSTEM, "-w", box.storage, "--", "python3", "-S", "-c", mark.replace("K", repr(kept)))
    assert tried.stdout == "Operation not permitted\n" * 2, tried.describe()
    assert run(box, "true").messages == [] and (box.work / "old").read_text() == "old\n"
    os.setxattr(kept, "user.sandlock.commit", b"1 2 3 4.000000005")
    assert run(box, "true").messages == [] and (box.work / "old").read_text() == "old\n"
    shutil.rmtree(kept)
