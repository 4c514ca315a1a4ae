"""learn --commit: what the command changed is made real at the end, whole, or kept where somebody else was in the way."""

import re
import subprocess

COMMAND = ["sh", "-c", """
set -e
echo more >> old; echo new > new; mkdir -p d/e; echo deep > d/e/f; ln old hard; ln -s old soft
mv moved d/moved; rm gone; rm -r tree; chmod 700 mode; mv dir renamed; echo in > renamed/in
"""]  # fmt: skip


def prepare(box):
    for name in ("old", "moved", "gone", "tree/a/b", "mode", "dir/x"):
        box.file(name, f"{name}\n")
    box.save()


def without_times(snapshot):
    return {path: what for path, what in snapshot.items() if path.startswith("work")}


def test_commit_is_what_a_bare_run_leaves(box):
    prepare(box)
    assert box.call(COMMAND).status == 0
    bare = without_times(box.snapshot())
    box.restore()
    result = box.tool("learn", "--commit", "-o", box.new_profile(), "--", *COMMAND)
    assert result.status == 0, result.describe()
    assert without_times(box.snapshot()) == bare


def test_a_failed_command_commits_nothing(box):
    prepare(box)
    before = box.snapshot(exact=True)
    result = box.tool("learn", "--commit", "--keep-failed", "-o", box.new_profile(), "--", "sh", "-c", "rm gone; exit 3")
    assert result.status == 3, result.describe()
    assert box.snapshot(exact=True) == before


def test_what_somebody_else_changed_is_a_conflict(box):
    """The other one writes in place while the command runs; afterwards the changes are kept, listed, applied or dropped."""
    prepare(box)
    go = box.out / "go"
    box.call(["mkfifo", go])
    script = f"echo mine >> old; echo new > new; cat {go} > /dev/null; rm gone"
    tool = subprocess.Popen(
        [box.sandlock, "learn", "--commit", "-o", box.new_profile(), "--", "sh", "-c", script],
        cwd=box.work, env=box.env, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with open(go, "w") as fifo:  # the command has come so far when it can be opened
        with open(box.work / "old", "a") as old:
            old.write("theirs\n")
        fifo.write("go")
    _, stderr = tool.communicate(timeout=120)
    assert tool.returncode == 125, stderr
    assert "conflict" in stderr and "/work/old" in stderr
    assert (box.work / "old").read_text() == "old\ntheirs\n"
    assert (box.work / "gone").exists() and not (box.work / "new").exists()
    kept = re.search(r'kept in "([^"]+)"', stderr)[1]
    listed = box.tool("workdir", "list", kept)
    assert listed.status == 0, listed.describe()
    work = str(box.work)
    assert re.search(rf"^M \d+ 9 {work}/old$", listed.stdout, re.M) and f"A 0 4 {work}/new" in listed.stdout
    assert re.search(rf"^D \d+ 0 {work}/gone$", listed.stdout, re.M)
    assert box.tool("workdir", "apply", kept).status == 125
    assert box.tool("workdir", "drop", kept).status == 0
    assert box.tool("workdir", "list", kept).status == 125
