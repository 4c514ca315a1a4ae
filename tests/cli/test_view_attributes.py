"""Attributes on the copy-on-write view: by path, by descriptor, by every road. The command sees what it changed, exactly
as it would bare; the disk keeps what it had, to the change time (L7, L8, L9)."""

import os
import textwrap

import pytest

PYTHON = "/usr/bin/python3"
HEAD = """
import ctypes, errno, os, stat, sys, tempfile
libc = ctypes.CDLL(None, use_errno=True)
def show(what, value):
    print(what, value, flush=True)
def attempt(what, call, *args, **named):
    try:
        show(what, call(*args, **named))
    except OSError as error:
        show(what, errno.errorcode[error.errno])
def mode(thing):
    return oct(os.stat(thing).st_mode)
"""


def on_view(box, script, *options):
    """Run the script bare, and on a view of the same tree: the same output and status, and nothing changed."""
    box.file("script.py", HEAD + textwrap.dedent(script))
    for name in ("file", "other", "closed", "dir/below"):
        box.file(name, f"{name}\n")
    os.symlink("file", box.work / "link")
    os.link(box.work / "file", box.work / "second")
    os.chmod(box.work / "closed", 0o400)
    box.save()
    bare = box.call([PYTHON, "script.py"])
    assert bare.status == 0, bare.describe()
    box.restore()
    before = box.snapshot(exact=True)
    result = box.tool("learn", "-o", box.new_profile(), *options, "--", PYTHON, "script.py")
    after = box.snapshot(exact=True)
    assert result.status == 0, result.describe()
    assert result.stdout == bare.stdout, result.describe()
    assert after == before
    return bare.stdout


def test_L7_L8_mode_by_every_road(box):
    said = on_view(
        box,
        """
        fd = os.open("file", os.O_RDONLY)
        path = os.open("file", os.O_PATH)
        os.fchmod(fd, 0o600); show("fchmod", (mode("file"), mode(fd), mode("second")))
        os.chmod("link", 0o640); show("through a link", mode("file"))
        os.chmod("file", 0o604, dir_fd=os.open(".", os.O_RDONLY)); show("fchmodat", mode(fd))
        os.chmod(f"/proc/self/fd/{fd}", 0o644); show("/proc/self/fd", mode(path))
        os.chmod(f"/dev/fd/{path}", 0o600); show("/dev/fd of O_PATH", mode("file"))
        attempt("fchmod of O_PATH", os.fchmod, path, 0o644)
        attempt("fchmod of nothing", os.fchmod, 999, 0o644)
        os.chmod("dir", 0o700); show("directory", (mode("dir"), mode("dir/below")))
        here = os.open("dir", os.O_RDONLY); os.fchmod(here, 0o750); show("its descriptor", (mode("dir"), mode(here)))
        attempt("none", os.chmod, "none", 0o644)
        attempt("not below", os.chmod, "file/none", 0o644)
        os.chmod("closed", 0o600); show("closed", mode("closed"))
        os.rename("file", "moved"); os.fchmod(fd, 0o611); show("moved", (mode("moved"), mode("second")))
        os.unlink("second"); os.unlink("moved"); os.fchmod(fd, 0o622); show("removed", (mode(fd), os.fstat(fd).st_nlink))
        new = os.open("new", os.O_CREAT | os.O_RDWR, 0o644); os.unlink("new"); os.fchmod(new, 0o611)
        show("never seen again", (mode(new), os.fstat(new).st_nlink))
        """,
    )
    assert "fchmod of O_PATH EBADF" in said


def test_L7_L8_times_and_sizes(box):
    on_view(
        box,
        """
        fd = os.open("file", os.O_RDONLY)
        os.utime("file", ns=(10**9 + 1, 2 * 10**9 + 2))
        show("times", (os.stat("file").st_mtime_ns, os.fstat(fd).st_mtime_ns, os.stat("second").st_atime_ns))
        os.utime(fd, (5, 6)); show("futimens", os.stat("link").st_mtime)
        os.utime("link", (7, 8), follow_symlinks=False); show("of a link", (os.lstat("link").st_mtime, os.stat("link").st_mtime))
        os.utime("dir", (9, 10)); show("of a directory", os.stat("dir").st_mtime)
        attempt("none", os.utime, "none", (1, 1))
        os.truncate("other", 3); show("size", (os.stat("other").st_size, open("other").read()))
        os.truncate("other", 4096); show("larger", os.stat("other").st_size)
        attempt("a directory", os.truncate, "dir", 0)
        """,
    )


def test_L7_L8_extended_attributes(box):
    on_view(
        box,
        """
        fd = os.open("file", os.O_RDONLY)
        os.setxattr("file", "user.a", b"one")
        show("get", (os.getxattr(fd, "user.a"), os.getxattr("second", "user.a"), os.listxattr("link")))
        os.setxattr(fd, "user.b", b"two"); show("fset", sorted(os.listxattr(fd)))
        attempt("create", os.setxattr, "file", "user.a", b"x", os.XATTR_CREATE)
        attempt("replace", os.setxattr, "file", "user.c", b"x", os.XATTR_REPLACE)
        attempt("unknown", os.setxattr, "file", "nothing.c", b"x")
        os.removexattr("link", "user.a"); attempt("gone", os.getxattr, "file", "user.a")
        attempt("gone already", os.removexattr, fd, "user.a")
        attempt("on a link", os.setxattr, "link", "user.a", b"x", follow_symlinks=False)
        os.setxattr("dir", "user.d", b""); show("empty", os.getxattr("dir", "user.d"))
        size = libc.getxattr(b"file", b"user.b", None, 0); show("size", size)
        buf = ctypes.create_string_buffer(1)
        show("too small", (libc.getxattr(b"file", b"user.b", buf, 1), errno.errorcode[ctypes.get_errno()]))
        """,
    )


def test_L8_umasks_of_threads_and_children(box):
    """The tool keeps umasks for a moment: it must not be seen, whoever changes one that others share."""
    said = on_view(
        box,
        """
        import threading
        number = 0
        def make():
            global number
            number += 1
            n, d = f"n{os.getpid()}-{number}", f"d{os.getpid()}-{number}"; os.close(os.open(n, os.O_CREAT | os.O_WRONLY, 0o777)); os.mkdir(d)
            return mode(n), mode(d)
        def thread(call):
            t = threading.Thread(target=call); t.start(); t.join()
        for mask in (0o077, 0, 0o027, 0o013):
            os.umask(mask); show("own", make()); thread(lambda: show("a thread's", make()))
            thread(lambda: os.umask(mask ^ 0o070)); show("changed by a thread", (make(), make()))
        turns = [threading.Semaphore(0), threading.Semaphore(0)]
        def other():
            for i in range(100):
                turns[0].acquire(); os.umask(i % 8 << 3); turns[1].release()
        t = threading.Thread(target=other); t.start(); seen = []
        for i in range(100):
            make(); turns[0].release(); turns[1].acquire(); seen.append(make()[0] == oct(0o100777 & ~(i % 8 << 3)))
        t.join(); show("taking turns", all(seen))
        def apart():
            assert libc.unshare(0x200) == 0; os.umask(0o037); show("apart", make())
        os.umask(0o022); thread(apart); show("left", make())
        for mask in (0o077, 0o007):
            child = os.fork()
            if not child:
                show("inherited", make()); os.umask(mask); show("child", make()); os._exit(0)
            os.waitpid(child, 0); show("parent", make())
        """,
    )
    assert "taking turns True" in said, said


def test_L7_L8_owner(box):
    on_view(
        box,
        """
        fd = os.open("file", os.O_RDONLY)
        os.chmod("other", 0o6755); os.chown("other", -1, os.getgid()); show("bits go", mode("other"))
        if os.geteuid() == 0:
            os.chown("file", 12, 34); show("owner", (os.fstat(fd).st_uid, os.stat("second").st_gid))
            os.lchown("link", 5, 6); show("of a link", (os.lstat("link").st_uid, os.stat("link").st_uid))
            os.fchown(fd, 1, -1); show("fchown", (os.stat("file").st_uid, os.stat("file").st_gid))
        else:
            attempt("giving away", os.chown, "file", 0, 0)
            attempt("another's", os.chmod, "/etc/hostname", 0o600)
        """,
    )


def test_what_is_real_stays_real(box):
    """Pipes, and files in the private temporary directory, change for real; devices and procfs do not."""
    said = on_view(
        box,
        """
        r, w = os.pipe(); os.fchmod(r, 0o640); show("pipe", mode(w))
        with tempfile.NamedTemporaryFile() as t:
            os.fchmod(t.fileno(), 0o640); show("temporary", mode(t.name))
            os.chmod(t.name, 0o611); show("by name", mode(t.fileno()))
            os.setxattr(t.name, "user.x", b"y"); show("xattr", os.getxattr(t.fileno(), "user.x"))
            os.utime(t.name, (1, 2)); show("time", os.stat(t.name).st_mtime)
        memory = os.memfd_create("m"); os.fchmod(memory, 0o600); show("memory", mode(memory))
        attempt("procfs", os.chmod, "/proc/self/status", 0o600)
        """,
    )
    assert "procfs EPERM" in said


@pytest.mark.parametrize("flags", [0x10, 0x40])  # append-only needs root, no-dump does not
def test_L7_inode_flags_are_not_changed(box, flags):
    file = box.file("file", "x")
    box.file("script.py", "import array, fcntl, os\n"
             "fd = os.open('file', os.O_RDONLY)\n"
             f"try: fcntl.ioctl(fd, 0x40086602, array.array('l', [{flags}])); print('set')\n"
             "except OSError as error: print(error.errno)\n")  # fmt: skip
    before = box.snapshot(exact=True)
    result = box.tool("learn", "-o", box.new_profile(), "--", PYTHON, "script.py")
    assert result.stdout.strip() in ("95", "1"), result.describe()
    assert box.snapshot(exact=True) == before and file.read_text() == "x"
