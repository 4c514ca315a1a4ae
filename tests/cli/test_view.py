"""The copy-on-write view behind the calls: nothing on disk changes, and the command sees what it changed as if it had.

Each command is a Python script that prints what every call answered. It runs bare, then on the view, and must say the
same; the tree must be exactly as it was. L13's replay under run comes along where the script is replayable.
"""

import os
import pathlib
import subprocess
import sys
import textwrap
import time

import pytest
from conftest import difference

PYTHON = sys.executable
PRELUDE = r"""
import ctypes, errno, os, socket, stat, sys
libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, AT_EMPTY_PATH, AT_SYMLINK_FOLLOW = -100, 0x1000, 0x400
O_TMPFILE = os.O_TMPFILE

def say(what, call, *args, **more):
    try:
        answer = call(*args, **more)
    except OSError as e:
        answer = errno.errorcode[e.errno]
    if answer is not None:
        print(what, answer)

def renameat2(a, b, flags):
    if libc.syscall(316, AT_FDCWD, os.fsencode(a), AT_FDCWD, os.fsencode(b), flags) < 0:
        raise OSError(ctypes.get_errno(), "")

def linkat(fd, name, new, flags):
    if libc.linkat(fd, os.fsencode(name), AT_FDCWD, os.fsencode(new), flags) < 0:
        raise OSError(ctypes.get_errno(), "")

def openat2(name, flags, mode=0, resolve=0):
    how = (ctypes.c_uint64 * 3)(flags, mode, resolve)
    fd = libc.syscall(437, AT_FDCWD, os.fsencode(name), how, 24)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "")
    return fd

def creat(name, mode=0o644):
    fd = libc.syscall(85, os.fsencode(name), mode)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "")
    return fd

def write(name, text, flags=os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode=0o644):
    fd = os.open(name, flags, mode)
    os.write(fd, text.encode())
    os.close(fd)

def read(name):
    with open(name) as f:
        return f.read()

def kind(st):
    return f"{stat.filemode(st.st_mode)} {st.st_uid}:{st.st_gid} links {st.st_nlink} size {'-' if stat.S_ISDIR(st.st_mode) else st.st_size}"

def tree(top="."):
    for directory, names, files in sorted(os.walk(top)):
        for name in sorted(names + files):
            path = os.path.join(directory, name)
            st = os.lstat(path)
            what = kind(st)
            if stat.S_ISLNK(st.st_mode):
                what += " -> " + os.readlink(path)
            elif stat.S_ISREG(st.st_mode) and os.access(path, os.R_OK):
                what += " " + repr(read(path)[:100])
            print(path, what)
"""


def files(box):
    box.file("plain", "text\n")
    box.file("d/one", "1\n")
    box.file("d/two", "2\n")
    box.file("d/sub/three", "3\n")
    box.file("e/four", "4\n")
    box.file("ro", "read only\n", 0o444)
    os.link(box.work / "plain", box.work / "hard")
    (box.work / "soft").symlink_to("plain")
    (box.work / "absolute").symlink_to(box.work / "d")
    (box.work / "up").symlink_to("d/../e")
    (box.work / "dangling").symlink_to("nowhere")
    (box.work / "loop").symlink_to("loop")
    (box.work / "empty").mkdir()
    os.mkfifo(box.work / "fifo")
    os.setxattr(box.work / "plain", "user.of-mine", b"value")


def same(box, script, *, status=0):
    """The script says on the view what it says bare, and nothing is changed. Returns what it said."""
    box.file("script.py", PRELUDE + textwrap.dedent(script))
    command = [PYTHON, "-S", "script.py"]
    box.save()
    bare = box.call(command)
    assert bare.status == status, bare.describe()
    box.restore()
    before = box.snapshot(exact=True)
    learned = box.tool("learn", "-o", box.new_profile(), "--keep-failed", "--", *command)
    after = box.snapshot(exact=True)
    assert after == before, f"learn changed:\n{difference(before, after)}\n{learned.describe()}"
    assert learned.status == status, learned.describe()
    assert learned.stdout == bare.stdout, f"bare: {bare.describe()}\non the view: {learned.describe()}"
    assert learned.stderr == bare.stderr, f"bare: {bare.describe()}\non the view: {learned.describe()}"
    return learned.stdout


CHANGES = {
    "creat": "fd = creat('new'); os.write(fd, b'x'); os.close(fd); os.close(creat('plain')); os.close(creat('d/one'))",
    "open": "write('plain', 'other'); write('new', 'n'); write('d/one', 'more', os.O_WRONLY | os.O_APPEND); fd = os.open('d/two', os.O_RDWR); os.pwrite(fd, b'x', 0)",
    "openat2": "fd = openat2('plain', os.O_RDWR); os.write(fd, b'OPEN'); fd = openat2('d/n', os.O_CREAT | os.O_WRONLY, 0o640); os.write(fd, b'x')",
    "tmpfile": """
        fd = os.open("d", O_TMPFILE | os.O_RDWR, 0o640)
        os.write(fd, b"unnamed")
        say("proc link", linkat, AT_FDCWD, f"/proc/self/fd/{fd}", "named", AT_SYMLINK_FOLLOW)
        say("links", lambda: os.fstat(fd).st_nlink)
        fd = os.open(".", O_TMPFILE | os.O_WRONLY, 0o600)
        os.write(fd, b"second")
        say("empty path link", linkat, fd, "", "d/named", AT_EMPTY_PATH)
        fd = os.open(".", O_TMPFILE | os.O_EXCL | os.O_WRONLY, 0o600)
        say("exclusive", linkat, AT_FDCWD, f"/proc/self/fd/{fd}", "never", AT_SYMLINK_FOLLOW)""",
    "rename": """
        os.rename("plain", "plain2"); os.rename("d", "moved"); os.rename("e/four", "moved/one")
        say("noreplace", renameat2, "plain2", "ro", 1)
        say("exchange", renameat2, "plain2", "moved", 2)
        say("noreplace", renameat2, "moved", "fresh", 1)
        say("into itself", os.rename, "plain2", "plain2/sub/x")""",
    "truncate": "os.truncate('plain', 2); os.truncate('d/one', 100); fd = os.open('d/two', os.O_WRONLY); os.ftruncate(fd, 0)",
    "mode": "os.chmod('plain', 0o600); os.chmod('d', 0o700); fd = os.open('ro', os.O_RDONLY); os.fchmod(fd, 0o640); os.chmod('soft', 0o604)",
    "owner": "os.chown('plain', -1, os.getgid()); os.lchown('soft', os.getuid(), -1); fd = os.open('d', os.O_RDONLY); os.fchown(fd, -1, os.getgid())",
    "times": """
        os.utime("plain", ns=(1, 2)); os.utime("d", ns=(10**18, 10**18 + 5)); os.utime("soft", ns=(7, 8), follow_symlinks=False)
        fd = os.open("ro", os.O_RDONLY); os.utime(fd, ns=(3, 4))
        for name in ("plain", "d", "soft", "ro"):
            print(name, os.lstat(name).st_mtime_ns)""",
    "xattr": """
        os.setxattr("plain", "user.more", b"v"); os.removexattr("plain", "user.of-mine"); os.setxattr("d", "user.dir", b"w")
        fd = os.open("ro", os.O_RDONLY)
        say("read only", os.setxattr, "ro", "user.x", b"1")
        for name in ("plain", "hard", "d"):
            print(name, [(n, os.getxattr(name, n)) for n in sorted(os.listxattr(name)) if n.startswith("user.")])""",
    "mknod": "os.mkfifo('pipe'); os.mknod('node', stat.S_IFREG | 0o600); os.mknod('sock', stat.S_IFSOCK | 0o600)",
    "bind": """
        s = socket.socket(socket.AF_UNIX); s.bind("d/socket"); s.listen()
        c = socket.socket(socket.AF_UNIX); c.connect("d/socket"); a, _ = s.accept()
        c.sendall(b"over"); print(a.recv(9))
        say("again", socket.socket(socket.AF_UNIX).bind, "d/socket")""",
    "links": "os.link('plain', 'd/plain'); os.symlink('plain', 'another'); os.unlink('hard'); write('plain', 'through one name'); print(read('d/plain'))",
    "remove": """
        os.unlink("plain"); os.unlink("d/one"); os.unlink("d/two"); os.unlink("d/sub/three"); os.rmdir("d/sub"); os.rmdir("d")
        os.unlink("soft"); os.rmdir("empty"); os.unlink("fifo"); os.mkdir("d"); write("d/again", "x")""",
}


@pytest.mark.parametrize("name", CHANGES)
def test_L7_L8_nothing_is_changed_and_all_is_seen(box, name):
    files(box)
    said = same(box, CHANGES[name].replace("\n        ", "\n").strip() + "\ntree()\n")
    assert "./script.py" in said


def test_L8_reading_what_was_written(box):
    files(box)
    same(box, """
        import mmap, subprocess
        write("plain", "written")
        print(read("plain"), read("hard"), read("soft"))
        fd = os.open("plain", os.O_RDWR)
        m = mmap.mmap(fd, 7)
        m[0:4] = b"MMAP"
        print(read("hard"), os.pread(fd, 9, 0))
        print(os.readlink(f"/proc/self/fd/{fd}") == os.path.realpath("plain"))
        print(open(f"/proc/self/fd/{fd}").read(), open(f"/dev/fd/{fd}").read())
        os.mkdir("made"); write("made/in", "inside")
        directory = os.open("made", os.O_RDONLY | os.O_DIRECTORY)
        print(read(f"/proc/self/fd/{directory}/in"), os.listdir(directory))
        fd = os.open("in", os.O_RDONLY, dir_fd=directory); print(os.read(fd, 9))
        os.rename("made", "other")
        print(os.listdir(directory), os.stat("in", dir_fd=directory).st_size)
        write("other/second", "2")
        print(sorted(os.listdir(directory)))
        print(os.stat("other").st_ino == os.fstat(directory).st_ino, os.stat("plain").st_ino == os.stat("hard").st_ino)
        print([e.name for e in sorted(os.scandir("."), key=lambda e: e.name) if e.is_dir(follow_symlinks=False)])
        print([e.name for e in os.scandir("other") if e.inode() != os.stat("other/" + e.name).st_ino])
    """)


def test_L8_working_directory(box):
    files(box)
    same(box, """
        os.mkdir("made"); os.chdir("made")
        print(os.path.relpath(os.getcwd(), start=os.path.dirname(os.getcwd())), os.listdir("."), sorted(os.listdir("..")))
        write("here", "x"); print(read("here"), os.listdir("."), read("../plain"))
        top = os.path.dirname(os.getcwd())
        os.rename(top + "/made", top + "/renamed")
        print(os.path.basename(os.getcwd()), os.readlink("/proc/self/cwd") == os.getcwd(), os.listdir("."))
        os.chdir(".."); print(sorted(os.listdir(".")))
        os.chdir("d"); os.rename("../d", "../e/d"); print(os.path.basename(os.path.dirname(os.getcwd())), sorted(os.listdir("..")))
        os.chdir("../.."); print(os.getcwd() == top)
        fd = os.open("renamed", os.O_RDONLY); os.fchdir(fd); print(os.path.basename(os.getcwd()))
        os.unlink("here"); os.rmdir("../renamed")
        say("gone", os.getcwd); say("make", os.mkdir, "x"); say("list", os.listdir, ".")
        os.chdir(top); print(os.getcwd() == top)
    """)


def test_L8_programs_of_the_command_run(box):
    files(box)
    box.file("p.c", '#include <stdio.h>\nint main(int c, char **v) { printf("%d %s\\n", c, v[0]); return 0; }\n')
    said = same(box, """
        import subprocess
        subprocess.run(["gcc", "-o", "p", "p.c"], check=True)
        print(subprocess.run(["./p", "x"], capture_output=True, text=True).stdout)
        write("s", "#!/bin/sh\\necho script $0 $1\\n", mode=0o755)
        print(subprocess.run(["./s", "arg"], capture_output=True, text=True).stdout)
        os.mkdir("bin"); os.rename("p", "bin/q"); os.symlink("bin/q", "l")
        print(subprocess.run(["./l"], capture_output=True, text=True).stdout)
        os.chmod("s", 0o644)
        say("no program", subprocess.run, ["./s"])
    """)
    assert "2 ./p" in said and "script ./s arg" in said


def test_L9_errors(box):
    files(box)
    long = "n" * 256
    same(box, f"""
        write("changed", "x"); write("d/one", "changed")   # so that the view has something to say
        for make in (os.mkdir, lambda n: os.close(creat(n)), lambda n: os.symlink("x", n), os.mkfifo):
            for name in ("d", "plain", "changed", "soft", "dangling", "loop", "plain/x", "nowhere/x", "{long}", "loop/x", "d/", "empty/new/", "changed/", "."):
                say(name, make, name)
        for take in (os.unlink, os.rmdir):
            for name in ("d", "nowhere", "changed/", "plain/", "soft/", "absolute/", "empty/.", "empty/..", "loop/x", "changed/x", "dangling/x"):
                say(name, take, name)
        for flags in (0, os.O_WRONLY, os.O_RDWR | os.O_TRUNC, os.O_CREAT | os.O_EXCL | os.O_WRONLY, os.O_CREAT | os.O_WRONLY, os.O_NOFOLLOW, os.O_DIRECTORY, os.O_CREAT | os.O_NOFOLLOW | os.O_WRONLY, os.O_PATH, O_TMPFILE):
            for name in ("d", "changed/", "loop", "changed/x", "nowhere/x", "d/", "soft", "absolute", "dangling/", "{long}"):
                def attempt():
                    os.close(os.open(name, flags, 0o600))
                say(f"{{name[:9]}} {{flags:o}}", attempt)
        for a, b in (("d", "e"), ("d", "empty"), ("changed", "d"), ("d", "changed"), ("nowhere", "x"), ("d", "d/sub"), ("changed", "nowhere/x"), ("d", "x/"), ("changed", "x/"), (".", "x"), ("d/..", "x"), ("changed", "{long}"), ("loop", "loop2"), ("empty", "empty")):
            say(f"{{a}} {{b[:9]}}", os.rename, a, b)
        for a, b in (("d", "x"), ("nowhere", "x"), ("changed", "d"), ("changed", "hard"), ("loop", "y"), ("changed", "nowhere/x")):
            say(f"link {{a}} {{b}}", os.link, a, b, follow_symlinks=False)
        say("truncate", os.truncate, "d", 0); say("truncate", os.truncate, "changed", -1); say("truncate", os.truncate, "nowhere", 1)
        say("readlink", os.readlink, "changed"); say("readlink", os.readlink, "nowhere"); say("stat", lambda: os.stat("loop").st_size); say("stat", lambda: os.stat("dangling").st_size)
        say("chdir", os.chdir, "changed"); say("chdir", os.chdir, "nowhere"); say("listdir", os.listdir, "changed")
        say("device", os.mknod, "dev", stat.S_IFDIR | 0o600)
        tree()
    """)


def test_L9_permissions(box):
    files(box)
    same(box, """
        os.mkdir("closed"); write("closed/in", "x"); os.chmod("closed", 0o600)
        say("search", lambda: os.stat("closed/in").st_size); say("list", os.listdir, "closed")
        os.chmod("closed", 0o300)
        say("list", os.listdir, "closed"); say("read", read, "closed/in")
        os.chmod("closed", 0o500); say("make", os.mkdir, "closed/new"); say("remove", os.unlink, "closed/in")
        write("secret", "x"); os.chmod("secret", 0); say("read", read, "secret"); say("access", os.access, "secret", os.R_OK)
        say("write", write, "ro", "x"); say("access", os.access, "ro", os.W_OK); os.chmod("ro", 0o644); write("ro", "now")
        os.chmod("d", 0); say("below", lambda: os.stat("d/one").st_size); say("open", lambda: os.close(os.open("d/one", os.O_RDONLY))); os.chmod("d", 0o755); print(read("d/one"))
        os.umask(0o077); write("private", "x"); os.mkdir("private.d"); os.umask(0); write("open", "x", mode=0o666)
        os.chmod("closed", 0o700); tree()
    """)


def test_L10_links_directories_devices(box):
    files(box)
    same(box, """
        write("absolute/new", "through an absolute link"); print(read("d/new"))
        write("up/new", "through a dotted link"); print(read("e/new"))
        write("dangling", "made by the link"); print(read("nowhere"))
        os.symlink(os.path.abspath("d"), "mine"); write("mine/third", "3"); print(sorted(os.listdir("d")))
        os.symlink("../plain", "d/back"); print(read("d/back")); os.rename("d", "e/d"); say("now dangling", read, "e/d/back")
        say("dangling now", os.listdir, "absolute")
        os.symlink("/dev/null", "null"); write("null", "nothing"); print(repr(read("null")), stat.S_ISCHR(os.stat("null").st_mode))
        write("/dev/null", "nothing"); print(stat.S_ISCHR(os.stat("/dev/null").st_mode), os.path.exists("/dev/null"))
        print(len(open("/dev/zero", "rb").read(8)), len(open("/dev/urandom", "rb").read(8)))
        say("full", write, "/dev/full", "x")
        print(os.path.realpath("e/d/sub") == os.path.abspath("e/d/sub"), os.stat("e/d/sub/..").st_ino == os.stat("e/d").st_ino)
        say("dot dot", lambda: sorted(os.listdir("e/d/sub/../..")))
        print(os.stat("plain").st_nlink); os.link("plain", "third"); print(os.stat("hard").st_nlink, os.path.samefile("third", "hard"))
        write("third", "one of three"); print(read("plain"), read("hard"))
        os.unlink("plain"); print(os.stat("hard").st_nlink, read("third"))
    """)


def test_L10_large_and_deep(box):
    for i in range(3000):
        box.file(f"many/{i}", "")
    same(box, """
        for i in range(0, 3000, 3):
            os.unlink(f"many/{i}")
        for i in range(500):
            write(f"many/new{i}", "")
        names = os.listdir("many"); print(len(names), len(set(names)), hash(tuple(sorted(names))) and sorted(names)[:5])
        top = os.getcwd()
        for i in range(300):
            os.mkdir("deep"); os.chdir("deep")
        write("bottom", "x"); print(len(os.getcwd()) - len(top)); os.chdir(top)
        count = sum(1 for _ in os.walk("deep")); print(count)
        # Removing while listing.
        with os.scandir("many") as entries:
            for e in entries:
                os.unlink(e.path)
        print(os.listdir("many")); os.rmdir("many")
    """)


def test_L7_a_path_that_is_rewritten_during_the_call(box):
    """Threads change the paths while the calls are looked at: whatever is done is done on the view."""
    racer = box.program("path-race")
    for i in range(8):
        box.file(f"lower{i}", f"lower {i}\n")
        box.file(f"dir{i}/f", "f\n")
    before = box.snapshot(exact=True)
    learned = box.tool("learn", "-o", box.new_profile(), "--keep-failed", "--", racer, "2")
    assert learned.status == 0 and "rounds" in learned.stdout, learned.describe()
    after = box.snapshot(exact=True)
    assert after == before, difference(before, after)


def wait_for(condition, timeout_s=60):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.05)


def uppers():
    places = {os.environ.get("TMPDIR", "/var/tmp"), "/var/tmp", "/tmp", os.path.expanduser("~/.cache")}
    return {str(p) for place in places for p in pathlib.Path(place).glob("sandlock-view-*")}


def test_L19_no_upper_is_left(box):
    box.file("f", "x")
    mark = box.out / "ready"
    reader, writer = os.pipe()
    tool = subprocess.Popen(
        [box.sandlock, "learn", "-o", box.new_profile(), "--", "sh", "-c", f"echo y >f; echo ready; exec sleep 600"],
        env=box.env | {"TMPDIR": str(box.out)}, cwd=box.work, stdout=writer, pass_fds=(), start_new_session=True,
    )  # fmt: skip
    os.close(writer)
    assert not mark.exists() and os.read(reader, 6) == b"ready\n"
    assert list(box.out.glob("sandlock-view-*")) or uppers()
    tool.kill()
    tool.wait()
    os.close(reader)
    wait_for(lambda: not list(box.out.glob("sandlock-view-*")))
    assert (box.work / "f").read_text() == "x"
