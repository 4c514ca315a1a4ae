"""attack-view.py STORAGE: roads into the directory where a view keeps its changes, from inside of the sandbox.

In the working directory "open" may be read and changed, "sealed" only be made things in. Says what got through, a line each.
"""

import ctypes
import mmap
import os
import re
import sys
import threading

storage = sys.argv[1]
SECRET = b"sealed text"


def attempt(what, call, *arguments, **options):
    try:
        result = call(*arguments, **options)
    except OSError:
        return None
    print("got through:", what, flush=True)
    return result


def read(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.read(fd, 4096)
    finally:
        os.close(fd)


def may_not_hold(what, path):
    try:
        text = read(path)
    except OSError:
        return
    if SECRET in text:
        print("read by", what, path, flush=True)


sealed = os.open("sealed/new", os.O_WRONLY | os.O_CREAT, 0o755)
os.write(sealed, SECRET)
os.chmod("sealed/old", 0o755)
os.truncate("sealed/old", 6)
fd = os.open("open/f", os.O_RDWR)
os.write(fd, b"mine")
mapping = mmap.mmap(fd, 4)
with open("/proc/self/maps") as maps:
    found = re.search(r" (/\S*/sandlock-view-\S+/objects-\w+)/\w{8}", maps.read())
objects = found[1]
upper = os.path.dirname(objects)
print("upper known", flush=True)

numbers = [f"{objects}/{n:08x}" for n in range(1, 12)]
for path in numbers:
    may_not_hold("its number", path)
    may_not_hold("a link to it", path)
    attempt("executing an object", lambda p=path: os.posix_spawn(p, ["x"], {}))
for base in (objects, upper, f"{upper}/run", storage + "/" + os.path.basename(upper)):
    attempt(f"listing {base}", os.listdir, base)
    attempt(f"making in {base}", os.open, f"{base}/made", os.O_WRONLY | os.O_CREAT, 0o600)
    attempt(f"mkdir in {base}", os.mkdir, f"{base}/directory")
    attempt(f"link into {base}", os.link, "open/g", f"{base}/linked")
    attempt(f"symlink into {base}", os.symlink, "/etc", f"{base}/symlink")
    attempt(f"rename into {base}", os.rename, "open/g", f"{base}/renamed")
    attempt(f"chmod of {base}", os.chmod, base, 0o777)
    attempt(f"renaming {base}", os.rename, base, f"{storage}/stolen")
    attempt(f"removing {base}", os.rmdir, base)
for path in numbers:
    attempt("linking an object out", os.link, path, f"{storage}/out-{os.path.basename(path)}")
    attempt("moving an object out", os.rename, path, f"{storage}/out-{os.path.basename(path)}")
os.symlink(objects, "open/way")
for n in range(1, 12):
    may_not_hold("a symbolic link", f"open/way/{n:08x}")
os.symlink("../sealed/old", "open/sealed")
may_not_hold("a symbolic link in the view", "open/sealed")
for road in (f"/proc/self/fd/{sealed}", f"/dev/fd/{sealed}", f"/proc/{os.getpid()}/fd/{sealed}"):
    may_not_hold("its own descriptor", road)
for name in ("new", "old"):
    attempt(f"moving sealed/{name}", os.rename, f"sealed/{name}", f"open/{name}")
    attempt(f"linking sealed/{name}", os.link, f"sealed/{name}", f"open/l{name}")
    may_not_hold("another name", f"open/{name}")
    may_not_hold("another name", f"open/l{name}")
reference = os.open("sealed/old", os.O_PATH)
may_not_hold("a reference", f"/proc/self/fd/{reference}")
attempt("executing what may not be", lambda: os.posix_spawn("sealed/new", ["x"], {}))

# The same path leads to what may be read and to an object, in turns.
good, stop = b"open/f", threading.Event()
bad = [os.fsencode(p) for p in numbers] + [b"sealed/new", b"sealed/old"]
path = bytearray(max(map(len, bad)) + 1)
libc = ctypes.CDLL(None)
buffer = (ctypes.c_char * len(path)).from_buffer(path)


def flip():
    i = 0
    while not stop.is_set():
        i += 1
        chosen = good if i % 2 else bad[i // 2 % len(bad)]
        path[: len(chosen) + 1] = chosen + b"\0"


flipper = threading.Thread(target=flip, daemon=True)
flipper.start()
for _ in range(4000):
    got = libc.open(buffer, os.O_RDONLY)
    if got >= 0:
        try:
            if SECRET in os.read(got, 100):
                print("read in a race", flush=True)
        except IsADirectoryError:
            pass
        os.close(got)
stop.set()
flipper.join()
