"""L2 for single system calls and for odd names, which everyday programs use rarely: each must replay like the programs do."""

import pytest
from conftest import IN_PLACE

PYTHON = "/usr/bin/python3"

# Run by python with these at hand: os, sys, c (libc), call(NUMBER, ...), show(...).
PRELUDE = """
import ctypes, errno, os, stat, sys
c = ctypes.CDLL(None, use_errno=True)
def call(*a):
    r = c.syscall(*(x.encode() if isinstance(x, str) else x for x in a))
    return r if r >= 0 else -ctypes.get_errno()
def show(*a): print(*a, flush=True)
def text(path): return open(path).read()
def put(path, what):
    with open(path, 'w') as f: f.write(what)
AT = -100
"""
CASES = {
    "openat2": "import struct; how = ctypes.create_string_buffer(struct.pack('QQQ', os.O_RDWR | os.O_CREAT, 0o600, 0x8)); f = call(437, AT, 'd/new', how, 24); os.write(f, b'x'); f = call(437, AT, 'd/old', ctypes.create_string_buffer(struct.pack('QQQ', 0, 0, 0x4)), 24); show(os.read(f, 9)); show(call(437, AT, '/etc/hostname', ctypes.create_string_buffer(struct.pack('QQQ', 0, 0, 0x8)), 24))",
    "tmpfile-linkat": "f = os.open('d', os.O_TMPFILE | os.O_RDWR, 0o600); os.write(f, b'abc'); show(call(265, AT, f'/proc/self/fd/{f}', AT, 'd/linked', 0x400)); show(text('d/linked'))",
    "tmpfile-unnamed": "f = os.open('.', os.O_TMPFILE | os.O_RDWR, 0o600); os.write(f, b'abc'); os.lseek(f, 0, 0); show(os.read(f, 9))",
    "rename-exchange": "show(call(316, AT, 'd/old', AT, 'keep', 2)); show(text('keep'), text('d/old'))",
    "rename-exchange-directories": "show(call(316, AT, 'd', AT, 'e', 2)); show(os.listdir('e'))",
    "rename-noreplace": "show(call(316, AT, 'd/old', AT, 'keep', 1) == -errno.EEXIST); show(call(316, AT, 'd/old', AT, 'new', 1)); show(text('new'))",
    "link-across": "os.link('keep', 'd/hard'); os.unlink('keep'); show(text('d/hard'))",
    "descriptor-paths": "d = os.open('d', os.O_PATH); f = os.open('old', os.O_RDONLY, dir_fd=d); show(os.read(f, 9)); show(text(f'/proc/self/fd/{d}/old')); g = os.open(f'/proc/self/fd/{f}', os.O_RDONLY); show(os.read(g, 9)); show(os.listdir(f'/proc/self/fd/{d}') == ['old'])",
    "path-reopen-for-writing": "f = os.open('d/old', os.O_PATH); g = os.open(f'/proc/self/fd/{f}', os.O_WRONLY); show(os.write(g, b'xy'))",
    "fchdir": "d = os.open('d', os.O_RDONLY); os.fchdir(d); show(text('old'), os.getcwd()[-2:]); os.chdir('..'); put('d/../n', 'x')",
    "moved-working-directory": "os.mkdir('a'); os.chdir('a'); os.rename('../a', '../b'); put('f', 'x'); show(text('f'), text('../b/f'), os.getcwd()[-2:])",
    "moved-existing-directory": "os.chdir('d'); os.rename('../d', '../moved'); put('f', 'x'); show(text('old')); put('../moved/old', 'y')",
    "deleted-working-directory": "os.mkdir('a'); os.chdir('a'); os.rmdir('../a'); show(text('../keep'), os.listdir('.'))",
    "deleted-file": "f = os.open('keep', os.O_RDWR); os.unlink('keep'); os.write(f, b'X'); show(os.read(os.open(f'/proc/self/fd/{f}', os.O_RDONLY), 9))",
    "made-and-removed": "os.mkdir('a'); put('a/x', '1'); os.symlink('x', 'a/l'); show(text('a/l')); os.mkfifo('a/p'); [os.unlink('a/' + n) for n in 'xlp']; os.rmdir('a')",
    "replace-directory": "os.rename('d', 'old-d'); os.mkdir('d'); put('d/old', 'other'); show(text('d/old'), text('old-d/old'))",
    "remove-and-make-again": "os.unlink('keep'); put('keep', 'again'); show(text('keep')); os.unlink('d/old'); os.mkdir('d/old'); put('d/old/x', '1'); show(os.listdir('d/old'))",
    "remove-and-make-directory": "os.unlink('d/old'); os.rmdir('d'); os.mkdir('d'); put('d/x', 'y'); show(os.listdir('d'))",
    "symlinks": "os.symlink('d', 's'); put('s/new', 'x'); show(text('s/../keep'), text('s/new')); os.symlink(os.getcwd() + '/keep', 'abs'); put('abs', 'over'); os.unlink('abs')",
    "existing-symlinks": "show(text('link-to-keep'), os.listdir('link-to-d')); put('link-to-keep', 'over'); put('link-to-d/n', 'x'); put('dangling', 'made')",
    "nearly-path-max": "p = '/'.join(['y' * 200] * 18); os.makedirs(p); put(p + '/' + 'f' * 255, '1'); show(text(p + '/' + 'f' * 255)); show(call(257, AT, p + '/' + p, 0, 0) == -errno.ENAMETOOLONG)",
    "many-slashes": "show(text('.//d///../keep'), os.listdir('d/.//')); os.mkdir('n/'); os.rmdir('n///')",
    "truncate": "os.truncate('keep', 2); show(text('keep')); f = os.open('d/old', os.O_RDWR); os.ftruncate(f, 1); os.truncate('d/old', 100)",
    "append-and-create-flags": "f = os.open('keep', os.O_WRONLY | os.O_APPEND | os.O_CREAT); os.write(f, b'more'); f = os.open('n', os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o640); os.write(f, b'1'); g = os.open('d/old', os.O_RDONLY | os.O_CREAT); show(os.read(g, 9))",
    "open-truncate-reading": "f = os.open('keep', os.O_RDONLY | os.O_TRUNC); show(os.fstat(f).st_size)",
    "attributes": "os.chmod('keep', 0o600); os.utime('keep', (1, 2)); os.chown('keep', os.getuid(), os.getgid()); os.setxattr('keep', 'user.a', b'1'); f = os.open('d/old', os.O_RDONLY); os.fchmod(f, 0o755); os.utime(f, (3, 4)); os.chmod(f'/proc/self/fd/{f}', 0o700); st = os.stat('keep'); show(oct(st.st_mode), st.st_mtime, os.stat('d/old').st_mtime)",
    "attributes-of-new": "put('n', 'x'); os.chmod('n', 0o4755); os.utime('n', (1, 2)); os.mkdir('m'); os.chmod('m', 0o2770); os.symlink('keep', 'l'); os.utime('l', (1, 2), follow_symlinks=False); os.lchown('l', os.getuid(), -1); show(oct(os.stat('n').st_mode), oct(os.stat('m').st_mode))",
    "attributes-nowhere": "show([call(90, p, 0o600) == -errno.ENOENT for p in ('none', 'd/none')])",
    "fifo": "os.mkfifo('p'); r = os.open('p', os.O_RDONLY | os.O_NONBLOCK); w = os.open('p', os.O_WRONLY); os.write(w, b'x'); show(os.read(r, 1))",
    "mknod": "os.mknod('n', stat.S_IFREG | 0o600); put('n', 'x'); os.mknod('p', stat.S_IFIFO | 0o600); show(os.listdir('.') != [])",
    "execveat": "f = os.open('/usr/bin/echo', os.O_RDONLY | os.O_CLOEXEC); os.execve(f, ['echo', 'from a descriptor'], os.environ)",
    "execveat-relative": "d = os.open('/usr/bin', os.O_PATH); c.syscall(322, d, b'echo', (ctypes.c_char_p * 3)(b'echo', b'relative', None), None, 0)",
    "memfd-exec": "f = os.memfd_create('x'); os.write(f, open('/usr/bin/echo', 'rb').read()); os.execve(f, ['echo', 'from memory'], os.environ)",
    "exec-of-a-copy": "import shutil, subprocess; shutil.copy('/usr/bin/echo', 'mine'); show(subprocess.run(['./mine', 'a copy'], capture_output=True).stdout); os.rename('mine', 'd/mine'); show(subprocess.run(['d/mine', 'moved'], capture_output=True).stdout)",
    "exec-of-replaced": "import shutil, subprocess; show(subprocess.run(['./tool'], capture_output=True).stdout); put('new', '#!/bin/sh\\necho second\\n'); os.chmod('new', 0o755); os.rename('new', 'tool'); show(subprocess.run(['./tool'], capture_output=True).stdout)",
    "exec-not-found": "import subprocess\nfor n in ('nothing-there', './keep', 'd'):\n try: subprocess.run([n])\n except OSError as e: show(e.errno)",
    "path-search": "os.environ['PATH'] = os.getcwd() + '/d:' + os.getcwd() + ':/usr/bin'; os.execvp('tool', ['tool'])",
    "dlopen": "import sysconfig; show(bool(ctypes.CDLL('libm.so.6').cos)); import _ssl, readline, curses; show('loaded')",
    "getdents-and-statx": "show(sorted(os.listdir('.'))); show([e.is_dir() for e in sorted(os.scandir('.'), key=lambda e: e.name)]); show(os.statvfs('d').f_bsize > 0, os.access('keep', os.R_OK), os.access('/etc/hostname', os.W_OK) in (True, False))",
    "inotify": "f = c.inotify_init(); show(c.inotify_add_watch(f, b'.', 0x100) > 0); put('n', 'x'); show(len(os.read(f, 999)) > 0)",
    "copy-file-range": "a = os.open('keep', os.O_RDONLY); b = os.open('n', os.O_WRONLY | os.O_CREAT, 0o600); show(os.copy_file_range(a, b, 99)); show(os.sendfile(b, a, 0, 99), text('n'))",
    "locks": "import fcntl; f = open('keep', 'r+'); fcntl.lockf(f, fcntl.LOCK_EX); fcntl.flock(f, fcntl.LOCK_SH); g = open('d/old'); fcntl.flock(g, fcntl.LOCK_EX); show('locked')",
    "threads": "import threading\ndef f(i):\n put(f't{i}', 'x'); os.mkdir(f'm{i}'); show(text('keep'))\nt = [threading.Thread(target=f, args=(i,)) for i in range(5)]\nfor x in t: x.start()\nfor x in t: x.join()",
    "fork-tree": "import subprocess; [os.fork() for _ in range(2)]; put(f'f{os.getpid() % 1}', 'x'); (os.wait() if False else None); sys.stdout.flush()\nwhile True:\n try: os.wait()\n except ChildProcessError: break",
    "vfork-spawn": "p = os.posix_spawn('/usr/bin/cat', ['cat', 'd/old'], os.environ); os.waitpid(p, 0); os.system('cat keep')",
    "proc-of-children": "import signal; p = os.fork()\nif p == 0:\n signal.pause()\nshow(text(f'/proc/{p}/comm')); show(len(text(f'/proc/{p}/maps')) > 0, os.readlink(f'/proc/{p}/cwd')[-4:], len(os.listdir(f'/proc/{p}/fd')) > 0); os.kill(p, 9); os.wait()",
    "proc-of-itself": "p = os.getpid(); show(text(f'/proc/{p}/comm'), len(text('/proc/thread-self/maps')) > 0, os.listdir(f'/proc/{p}/task') == [str(p)], text(f'/proc/self/task/{p}/comm')); put('/proc/self/comm', 'renamed'); show(text('/proc/self/comm')); show(os.listdir('/proc/self/fd') != [], os.stat('/proc/self/exe').st_size > 0, open('/proc/self/exe', 'rb').read(4))",
    "proc-scan": "show(str(os.getpid()) in os.listdir('/proc'))",
    "oom-score": "put('/proc/self/oom_score_adj', '500'); show(text('/proc/self/oom_score_adj'))",
    "proc-written-of-children": "import signal; b = ctypes.create_string_buffer(b'hello'); p = os.fork()\nif p == 0:\n signal.pause()\nput(f'/proc/{p}/oom_score_adj', '500'); show(text(f'/proc/{p}/oom_score_adj')); f = os.open(f'/proc/{p}/task/{p}/mem', os.O_RDWR); show(os.pwrite(f, b'HELLO', ctypes.addressof(b)), os.pread(f, 5, ctypes.addressof(b)), b.value); os.kill(p, 9); os.wait()",
    "undumpable": "import resource, socket; c.prctl(4, 0, 0, 0, 0); put('n', 'x'); os.chmod('n', 0o600); os.mkdir('m'); s = socket.socket(socket.AF_UNIX); s.bind(os.getcwd() + '/m/s'); os.chmod('m/s', 0o700); s.listen(); t = socket.socket(socket.AF_UNIX); t.connect('m/s'); t.send(b'x'); show(s.accept()[0].recv(9), text('n'), os.listdir('m')); p = os.fork()\nif p == 0: put('o', 'y'); os._exit(7)\nshow(os.waitpid(p, 0)[1], resource.getrlimit(resource.RLIMIT_CORE)[0]); os.unlink('m/s')",
    "process-calls": "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300)); os.setpriority(os.PRIO_PROCESS, 0, 3); os.sched_setaffinity(0, os.sched_getaffinity(0)); p = os.fork()\nif p == 0: os.setsid(); os.kill(os.getpid(), 15)\nshow(os.waitpid(p, 0)[1]); show(resource.prlimit(0, resource.RLIMIT_NOFILE))",
    "kill-own-group": "import signal; p = os.fork()\nif p == 0:\n os.setpgid(0, 0); signal.pause()\nos.setpgid(p, p) if False else None\nimport time\nwhile os.getpgid(p) != p: time.sleep(0.01)\nos.killpg(p, 15); show(os.waitpid(p, 0)[1])",
    "socketpair": "import socket; a, b = socket.socketpair(); a.send(b'x'); show(b.recv(1)); r, w = os.pipe(); os.write(w, b'y'); show(os.read(r, 1))",
    "descriptor-passing": "import socket, array; a, b = socket.socketpair(); f = os.open('keep', os.O_RDONLY); socket.send_fds(a, [b'x'], [f]); show(os.read(socket.recv_fds(b, 9, 1)[1][0], 9))",
    "ptrace-own-child": "p = os.fork()\nif p == 0:\n c.ptrace(0, 0, 0, 0); os.kill(os.getpid(), 19); os._exit(4)\nshow(os.WIFSTOPPED(os.waitpid(p, 0)[1])); c.ptrace(7, p, 0, 0); show(os.waitpid(p, 0)[1])",
    "not-permitted": "show([call(165, 'none', '/', 'none', 0, 0) < 0, call(272, 0x10000000) in (0, -1, -13), call(321, 0, 0, 0) < 0])",
    "user-locale": "import locale; locale.setlocale(locale.LC_ALL, ''); import gettext; gettext.install('x'); show(locale.nl_langinfo(locale.CODESET))",
    "umask-and-modes": "os.umask(0o027); put('n', ''); os.mkdir('m'); os.umask(0o077); put('o', ''); show(oct(os.stat('n').st_mode), oct(os.stat('m').st_mode), oct(os.stat('o').st_mode))",
}  # fmt: skip


# What happens to a directory of the view happens to none that the kernel could watch.
@pytest.mark.parametrize("name", [name for name in CASES if IN_PLACE or name != "inotify"])
def test_L2_call(name, box):
    box.file("program.py", PRELUDE + CASES[name])
    box.file("keep", "kept")
    box.file("d/old", "old")
    box.file("e/other", "other")
    box.file("tool", "#!/bin/sh\necho first\n", 0o755)
    (box.work / "link-to-keep").symlink_to("keep")
    (box.work / "link-to-d").symlink_to(box.work / "d")
    (box.work / "dangling").symlink_to("made")
    box.file("d/tool", "#!/bin/sh\necho searched\n", 0o755) if name == "path-search" else None
    profile = box.replays([PYTHON, "program.py"])
    assert not [p for p in profile.entries() if "(deleted)" in p or p.startswith("/proc/1")], profile.text


def test_L16_beyond_path_max(box):
    """What lies deeper than any path can say is made step by step; no profile can name it, and learn says so."""
    code = """
n = 'x' * 250
for _ in range(18): os.mkdir(n); os.chdir(n)
put('f', 'deep')
show(text('f'))
os.unlink('f')
for _ in range(18): os.chdir('..'); os.rmdir(n)
show(text('keep'))
"""
    box.file("program.py", PRELUDE + code)
    box.file("keep", "kept")
    result, _, profile = box.learn([PYTHON, "program.py"])
    assert result.stdout == "deep\nkept\n"
    assert [m for m in result.messages if "longer than PATH_MAX" in m] and profile.partial, result.describe()
