"""FIFOs and AF_UNIX sockets on the copy-on-write view: the same outcome as bare, and nothing on the disk (L7, L8, L10)."""

import os
import re
import subprocess
import textwrap

PYTHON = "/usr/bin/python3"
FIFOS = """
import os, signal, subprocess, threading
os.mkfifo("p")
def writer():
    with open("p", "w") as f:
        f.write("through")
thread = threading.Thread(target=writer)
thread.start()
print(open("p").read())
thread.join()
shell = "mkfifo q; echo hello > q & cat q; wait; cat < q & echo two > q; wait"
print(subprocess.run(shell, shell=True, capture_output=True, text=True).stdout.split())
try:
    os.open("p", os.O_WRONLY | os.O_NONBLOCK)
except OSError as error:
    print(error.strerror)
def alarm(*_):
    raise TimeoutError("alarm")
signal.signal(signal.SIGALRM, alarm)
signal.setitimer(signal.ITIMER_REAL, 0.2)
try:
    open("p")
except TimeoutError as error:
    print("interrupted", error)
os.chmod("p", 0)
if os.geteuid():
    try:
        open("p")
    except OSError as error:
        print(error.strerror)
fd = os.open("there", os.O_RDWR)
os.write(fd, b"x")
print(os.read(fd, 1))
"""
SOCKETS = """
import os, socket
here = os.getcwd()
os.mkdir("d")
os.mkdir("x")
for name in ("s", here + "/abs", "./d/../s3", "../work/s4", here + "//x/s5"):
    server = socket.socket(socket.AF_UNIX)
    server.bind(name)
    server.listen(1)
    print(server.getsockname(), oct(os.lstat(name).st_mode))
    client = socket.socket(socket.AF_UNIX)
    client.connect(name)
    accepted, address = server.accept()
    client.send(b"hey")
    print(accepted.recv(9), client.getpeername(), address)
    again = socket.socket(socket.AF_UNIX)
    try:
        again.bind(name)
    except OSError as error:
        print(error.strerror)
    accepted.close()
    client.close()
    server.close()
    try:
        again.connect(name)
    except OSError as error:
        print(error.strerror)
for name in ("none/s", "s/s"):
    try:
        again.bind(name)
    except OSError as error:
        print(error.strerror)
one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
one.bind("one")
two = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
two.bind("two")
two.connect("one")
two.send(b"x")
print(one.recvfrom(5))
one.sendto(b"yy", "two")
print(two.recvfrom(5))
os.rename("one", "moved")
three = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
three.connect("moved")
three.send(b"z")
print(one.recv(5))
print(sorted(os.listdir(".")))
"""


def without_slash(text):
    """What learn shows of a bound absolute path to who can neither change the root directory nor make a user namespace: it
    lacks its first slash, and is named without needless ones."""
    return re.sub(r"(?m)^/|(?<=' )/", "", text).replace("//", "/")


def same(box, script, shown=lambda text: text):
    box.file("script.py", textwrap.dedent(script))
    box.call(["mkfifo", "there"])
    box.save()
    bare = box.call([PYTHON, "script.py"])
    assert bare.status == 0, bare.describe()
    box.restore()
    before = box.snapshot(exact=True)
    result = box.tool("learn", "-o", box.new_profile(), "--", PYTHON, "script.py")
    assert result.status == 0, result.describe()
    assert result.stdout == shown(bare.stdout), result.describe()
    after = box.snapshot(exact=True)
    # A FIFO that was there is the real one, as devices are: what goes through it moves its times.
    assert after.pop("work/there")[:3] == before.pop("work/there")[:3]
    assert after == before


def test_L10_fifos(box):
    same(box, FIFOS)


def test_L7_L10_sockets(box):
    can_make = subprocess.run(["unshare", "--user", "true"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    same(box, SOCKETS, without_slash if os.geteuid() and can_make.returncode else lambda text: text)
