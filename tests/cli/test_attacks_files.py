"""Ways to files that a profile does not grant, or not with that right."""

import os
import shutil
import subprocess

import attacks
import pytest

ROOT = os.geteuid() == 0
LOADERS = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"]

LIBRARIES = [path for path in ("/usr/bin/true", "/usr/lib", "/lib", "/lib64", "/etc/ld.so.cache") if os.path.exists(path)]


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    return attacks.attack(tmp_path_factory, "files")


def tree(top, program):
    """What the program finds in its working directory."""
    for name in ("work", "readonly", "secret"):
        (top / name / "dir").mkdir(parents=True)
        (top / name / "file").write_text("content\n")
        shutil.copy(program, top / name / "program")
    for name in ("moved-dir", "exchanged"):
        (top / "secret" / name).mkdir()
        (top / "secret" / name / "inner").write_text("content\n")
    for i in range(1, 5):
        for name in (f"truncated-{i}", f"moved-{i}", f"removed-{i}", f"replaced-{i}"):
            (top / "readonly" / name).write_text("content\n")
            (top / "secret" / name).write_text("content\n")
    for name in ("exchanged", "whiteout"):
        (top / "readonly" / name).write_text("content\n")
    (top / "readonly" / "removed-dir").mkdir()
    for name in ("granted", "secret"):
        (top / "spare" / name).mkdir(parents=True)
        (top / "spare" / name / "file").write_text("content\n")
    return top


def listing(top):
    """Everything below readonly, secret and spare with its content and metadata."""
    found = {}
    for part in ("readonly", "secret", "spare"):
        for path in sorted([top / part, *(top / part).rglob("*")]):
            st = path.lstat()
            content = path.read_bytes() if path.is_file() and not path.is_symlink() else None
            found[str(path.relative_to(top))] = (st.st_mode, st.st_ino, st.st_nlink, st.st_mtime_ns, st.st_size, content)
    return found


@pytest.fixture
def both(sandlock, program, tmp_path):
    """both(GROUP): results confined and bare, each on a tree of its own; what is not granted stays as it was."""

    def run(group, more_exec=()):
        mine, theirs = tree(tmp_path / "confined", program), tree(tmp_path / "bare", program)
        work = mine / "work"
        granted = attacks.profile(
            tmp_path / "p.toml", read=[work, mine / "readonly", mine / "spare" / "granted", *LIBRARIES],
            write=[work], create=[work], delete=[work], exec=[program, *more_exec],
        )  # fmt: skip
        before = listing(mine)
        confined = attacks.confined(sandlock, granted, [program, group], cwd=mine)
        assert listing(mine) == before
        return confined, attacks.call([program, group], cwd=theirs)

    return run


def test_reading_what_is_not_granted(both):
    confined, bare = both("read")
    expected = {name: "EACCES" for name in bare}
    # A path descriptor gives nothing by itself, sandbox or not.
    opath = {"opath-read": "EBADF", "opath-mmap": "EBADF", "opath-sendfile": "EBADF", "opath-copy": "EBADF", "opath-splice": "EBADF"}
    # Landlock says EXDEV where a move or link would only need the same rights on the other side.
    moving = {name: ("EACCES", "EXDEV") for name in ("hard-link", "hard-link-fd", "rename-in", "rename-directory-in", "exchange")}
    attacks.compare(confined, expected | opath | moving)
    attacks.proves(bare, confined, opath)


def test_changing_what_is_not_granted(both):
    confined, bare = both("change")
    expected = {name: "EACCES" for name in bare}
    moving = ("hard-link", "hard-link-out", "rename-over", "rename-out", "rename-in", "exchange", "tmpfile-link")
    expected |= {name: ("EACCES", "EXDEV") for name in moving}
    # Neither reading nor writing, a descriptor of access mode 3 is of use for ioctl alone, which is judged.
    mode_3 = {"open-mode-3": "SUCCEEDED", "mode-3-write": "EBADF"}
    attacks.compare(confined, expected | mode_3)
    attacks.proves(bare, confined, ["mode-3-write"] if ROOT else ["mode-3-write", "tmpfile-usr"])


def test_executing_what_is_not_granted(both):
    loader = [path for path in LOADERS if os.path.exists(path)]
    confined, bare = both("execute", loader)
    expected = {name: "EACCES" for name in bare}
    # Landlock judges execve of files with a name. A program may always load and run code that it can read, in its own
    # process, with its own rights: SECURITY.md says so.
    code = {"memfd": "SUCCEEDED", "mmap-exec": "SUCCEEDED", "loader": "SUCCEEDED"}
    attacks.compare(confined, expected | code)
    attacks.compare(bare, {name: "SUCCEEDED" for name in bare})


def test_R6_descriptors_of_the_caller(sandlock, program, tmp_path):
    """What is open on 0, 1 and 2 is the command's with the mode that it has, and reopening it is judged by the profile."""
    top = tree(tmp_path / "tree", program)
    granted = attacks.profile(tmp_path / "p.toml", exec=[program])
    secret = os.open(top / "secret" / "file", os.O_RDONLY)
    extra = os.open(top / "secret" / "dir", os.O_RDONLY)
    try:
        options = {"cwd": top, "stdin": secret, "pass_fds": (extra,)}
        bare = attacks.call([program, "inherited"], **options)
        os.lseek(secret, 0, os.SEEK_SET)
        confined = attacks.confined(sandlock, granted, [program, "inherited"], **options)
    finally:
        os.close(secret)
        os.close(extra)
    assert bare[f"descriptor-{extra}"] == "SUCCEEDED"
    assert bare["stdin-reopen-write"] == "SUCCEEDED"
    expected = {
        "stdin-read": "SUCCEEDED", "stdin-write": "EBADF", "stdin-reopen-write": "EACCES", "stdin-reopen-read": "EACCES",
        "stdin-truncate": "EINVAL",
    }  # fmt: skip
    descriptors = {name: outcome for name, outcome in confined.items() if name.startswith("descriptor-")}
    assert set(descriptors) <= {f"descriptor-{extra}"}, "a descriptor of the tool is the command's"
    attacks.compare({name: outcome for name, outcome in confined.items() if name not in descriptors}, expected)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("entry", ["work/entry", "work/dir/entry", "link/entry", "work/../work//entry"])
def test_a_link_that_the_command_could_have_made_grants_nothing(sandlock, tmp_path, version, entry):
    """What one run leaves in place of a listed file is no way for the next run to what the profile does not list."""
    (tmp_path / "work" / "dir").mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "entry").write_text("content\n")
    (tmp_path / "link").symlink_to("work")
    listed = tmp_path / entry
    listed.write_text("mine\n")
    work = tmp_path / "work"
    changes = {"write": [work]} if version == 1 else {"create": [work], "delete": [work]}
    granted = attacks.profile(tmp_path / "p.toml", version, exec=[] if version == 1 else LIBRARIES + ["/bin", "/usr/bin"],
                              read=[*LIBRARIES, "/bin", "/usr/bin", f"{tmp_path}/{entry}"], **changes)  # fmt: skip
    if version == 1:
        granted.write_text(granted.read_text().replace("exec = []\n", ""))

    def run(script):
        command = [sandlock, "run", "-p", granted, "--", "/bin/sh", "-c", script]
        return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)

    assert run(f"cat {listed}").stdout == "mine\n"
    if entry == "work/dir/entry":
        replaced = run(f"mv {work}/dir {work}/old && ln -s ../secret {work}/dir")
    else:
        replaced = run(f"rm {work}/entry && ln -s ../secret/entry {work}/entry")
    assert replaced.returncode == 0, replaced.stderr
    assert listed.read_text() == "content\n"
    found = run(f"cat {listed}")
    assert found.stdout == "" and found.returncode == 1
    assert f'{tmp_path}/{entry}": leads to {tmp_path}/secret/entry through a symbolic link' in found.stderr


def test_a_link_that_the_command_could_not_have_made_is_followed(sandlock, tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "file").write_text("content\n")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "work" / "inner").symlink_to("../file")
    options = ["-w", tmp_path / "work", *(word for path in [*LIBRARIES, "/bin", "/usr/bin"] for word in ("-r", path))]
    for name in (tmp_path / "link", tmp_path / "work" / "inner"):
        command = [sandlock, "run", *options, "-r", tmp_path / "link", "-r", name, "--", "/bin/cat", name]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        assert (done.stdout, done.stderr) == ("content\n", ""), name
