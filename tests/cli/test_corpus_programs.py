"""L2 for interpreters, shells, editors and other single programs: see test_corpus_files.py."""

import os
import re
import subprocess
import sys

import pytest

from conftest import IN_PLACE, LEARN_MODE

PYTHON = "/usr/bin/python3"


def script(box, name, text, mode=0o755):
    return box.file(name, text, mode)


PYTHON_CASES = {
    "json": "import json; json.dump({'a': [1, 2]}, open('out.json', 'w')); print(json.load(open('out.json')))",
    "sqlite3": (
        "import sqlite3; c = sqlite3.connect('x.db'); c.execute('create table t (a)'); c.executemany('insert into t values (?)',"
        "[(i,) for i in range(500)]); c.commit(); print(c.execute('select sum(a) from t').fetchone())"
    ),
    "sqlite3-wal": (
        "import sqlite3; c = sqlite3.connect('x.db'); print(c.execute('pragma journal_mode=wal').fetchone()); c.execute('create table t"
        " (a)'); c.commit(); d = sqlite3.connect('x.db'); d.execute('insert into t values (1)'); d.commit(); print(c.execute('select *"
        " from t').fetchall()); c.close(); d.close()"
    ),
    "ssl": "import ssl; c = ssl.create_default_context(); print(c.verify_mode, len(ssl.get_default_verify_paths()))",
    "multiprocessing": (
        "import multiprocessing as m\ndef f(x): return x * x\nif __name__ == '__main__':\n with m.Pool(2) as p: print(p.map(f, range(9)))\n"
        " q = m.Queue(); w = m.Process(target=q.put, args=(7,)); w.start(); print(q.get()); w.join(); l = m.Lock()\n with l: print('locked')"
    ),
    "multiprocessing-spawn": (
        "import multiprocessing as m\ndef f(q): q.put(3)\nif __name__ == '__main__':\n c = m.get_context('spawn'); q = c.SimpleQueue();"
        " w = c.Process(target=f, args=(q,)); w.start(); print(q.get()); w.join()"
    ),
    "shared-memory": (
        "from multiprocessing import shared_memory as s; a = s.SharedMemory(create=True, size=64); b = s.SharedMemory(a.name);"
        " a.buf[0] = 5; print(b.buf[0]); b.close(); a.close(); a.unlink()"
    ),
    "tempfile": (
        "import tempfile, os; f = tempfile.TemporaryFile(); f.write(b'x'); n = tempfile.NamedTemporaryFile(); n.write(b'y'); n.flush();"
        " d = tempfile.mkdtemp(); open(d + '/a', 'w').write('z'); print(open(d + '/a').read(), os.path.getsize(n.name)); import shutil;"
        " shutil.rmtree(d)"
    ),
    "subprocess": (
        "import subprocess as s; print(s.run(['echo', 'hi'], capture_output=True).stdout, s.run('cat /etc/hostname | wc -l', shell=True,"
        " capture_output=True).stdout, s.Popen(['true'], close_fds=True, start_new_session=True).wait(), s.run(['false']).returncode)"
    ),
    "threads": (
        "import concurrent.futures as c, pathlib\ndef f(i): p = pathlib.Path(f'f{i}'); p.write_text('x' * i); return len(p.read_text())\n"
        "with c.ThreadPoolExecutor(4) as e: print(sum(e.map(f, range(20))))"
    ),
    "asyncio": (
        "import asyncio\nasync def f():\n p = await asyncio.create_subprocess_exec('echo', 'x', stdout=-1); print(await p.communicate());"
        " await asyncio.gather(*(asyncio.sleep(0.01) for _ in range(9)))\nasyncio.run(f())"
    ),
    "zipfile": (
        "import zipfile; z = zipfile.ZipFile('a.zip', 'w'); z.writestr('d/a', 'x' * 99); z.close(); zipfile.ZipFile('a.zip').extractall('to');"
        " print(open('to/d/a').read())"
    ),
    "replace": (
        "import os; open('new', 'w').write('x'); os.replace('new', 'keep'); print(open('keep').read()); open('keep.tmp', 'w').write('y');"
        " os.replace('keep.tmp', 'keep'); print(open('keep').read())"
    ),
    "walk": "import os; print(sorted(os.walk('.'))); print(sorted(e.name for e in os.scandir('/usr/share/misc')))",
    "ctypes": "import ctypes, ctypes.util; print(ctypes.CDLL('libm.so.6').abs(-3)); print(ctypes.CDLL(None).getpid() > 0)",
    "locale": "import locale, gettext, time, zoneinfo; print(locale.setlocale(locale.LC_ALL, ''), zoneinfo.ZoneInfo('Europe/Berlin'), time.tzname)",
    "unicode-names": "import os; os.mkdir('grün'); open('grün/ß', 'w').write('ä'); print(os.listdir('grün')); os.rename('grün', 'blau')",
    "descriptors": (
        "import os; d = os.open('.', os.O_RDONLY); f = os.open('a', os.O_CREAT | os.O_RDWR, dir_fd=d); os.write(f, b'abc'); os.mkdir('m', dir_fd=d);"
        " os.rename('a', 'b', src_dir_fd=d, dst_dir_fd=d); print(open(f'/proc/self/fd/{f}').read(), os.readlink(f'/dev/fd/{f}')[-2:]); os.unlink('b', dir_fd=d)"
    ),
    "mmap": "import mmap; f = open('m', 'wb+'); f.truncate(4096); m = mmap.mmap(f.fileno(), 4096); m[0:2] = b'ab'; m.flush(); print(open('m', 'rb').read(2))",
    "pwd": "import pwd, grp, os, getpass; print(pwd.getpwuid(os.getuid()).pw_dir, getpass.getuser(), grp.getgrgid(os.getgid()).gr_name, os.path.expanduser('~')[-4:])",
    "urandom": "import secrets, uuid, random, hashlib; print(len(secrets.token_hex()), len(str(uuid.uuid4())), hashlib.new('sha512', b'').name)",
    "logging": "import logging, logging.handlers as h; l = logging.getLogger(); l.addHandler(h.RotatingFileHandler('x.log', maxBytes=50, backupCount=2)); [l.warning('line %d', i) for i in range(9)]",
    "shelve": "import shelve\nwith shelve.open('s') as s: s['a'] = [1]\nwith shelve.open('s') as s: print(s['a'])",
    "signals": "import os, signal, time; p = os.fork()\nif not p: time.sleep(60)\nos.kill(p, 15); print(os.waitpid(p, 0)[1]); signal.alarm(1); signal.signal(14, lambda *a: print('alarm')); signal.pause()",
    "pty": "import pty, os; p, fd = pty.fork()\nif not p: os.execlp('tty', 'tty')\nprint(os.read(fd, 99)[:9]); os.waitpid(p, 0)",
}  # fmt: skip


@pytest.mark.parametrize("name", PYTHON_CASES)
def test_L2_python(name, box):
    box.file("program.py", PYTHON_CASES[name])
    normal = {"sqlite3-wal": None}.get(name)
    profile = box.replays([PYTHON, "program.py"], ignore=(r"\.db", r"a\.zip$", r"work/s"), normal=normal)
    assert not [p for right in ("create", "write", "delete") for p in profile.list(right) if p.startswith("/usr")], profile.text


def test_L2_python_writes_bytecode(box):
    """The modules beside the program are compiled at the first run; the profile also serves the second."""
    box.file("program.py", "import helper, package.inner; print(helper.x, package.inner.y)")
    box.file("helper.py", "x = 1")
    box.file("package/__init__.py", "")
    box.file("package/inner.py", "y = 2")
    profile = box.replays([PYTHON, "program.py"], ignore=(r"\.pyc$",))
    assert box.run(profile).stdout == "1 2\n"
    again = box.run(profile)
    assert (again.status, again.stdout) == (0, "1 2\n")


def test_L2_python_compileall(box):
    box.file("package/a.py", "x = 1")
    box.file("package/b/c.py", "y = 1")
    box.replays([PYTHON, "-m", "compileall", "-q", "package"], ignore=(r"\.pyc$",))


def test_L2_L13_python_venv(box):
    box.replays([PYTHON, "-m", "venv", "--without-pip", "v"], ignore=(r"\.pyc$",))
    box.call([PYTHON, "-m", "venv", "--without-pip", "v"])
    box.file("program.py", "import sys; print(sys.prefix, sys.executable, sys.argv)")
    profile = box.replays(["v/bin/python", "program.py", "an argument"])
    assert profile.data["program"]["args"] == ["program.py", "an argument"]
    box.file("tool", f"#!{box.work}/v/bin/python3\nimport sys; print(sys.prefix, sys.argv[1:])\n", 0o755)
    box.replays(["./tool", "x"])


def test_L2_python_venv_with_pip(box):
    """The whole of it, pip installed from the wheel in the distribution."""
    box.replays([PYTHON, "-m", "venv", "v"], ignore=(r"\.pyc$", r"RECORD$", "!__pycache__"), allow_messages=("used the network",))  # it tries IPv6 on ::1


def test_L2_python_unittest(box):
    box.file("test_it.py", "import unittest\nclass T(unittest.TestCase):\n def test_a(self): self.assertEqual(1, 1)\n")
    box.replays([PYTHON, "-m", "unittest", "-q"], ignore=(r"\.pyc$",), normal=lambda t: re.sub(r"in [\d.]+s", "", t))


NODE_CASES = {
    "hello": "console.log('hello', process.argv.length)",
    "files": "const fs = require('fs'); fs.mkdirSync('a/b', {recursive: true}); fs.writeFileSync('a/b/c', 'x'); fs.renameSync('a/b/c', 'a/d'); console.log(fs.readdirSync('a'), fs.readFileSync('a/d', 'utf8')); fs.rmSync('a', {recursive: true})",
    "promises": "const f = require('fs/promises'); (async () => { await f.writeFile('x', '1'); await f.copyFile('x', 'y'); await f.appendFile('y', '2'); console.log(String(await f.readFile('y'))); await f.unlink('x') })()",
    "module": "const m = require('./lib/m.js'); console.log(m.x, require('os').cpus().length > 0, require('path').resolve('lib'))",
    "children": "const c = require('child_process'); console.log(String(c.execSync('echo hi; cat lib/m.js'))); c.spawn('true').on('exit', x => console.log(x)); c.fork('./lib/child.js').on('message', m => console.log(m))",
    "workers": "const w = require('worker_threads'); if (w.isMainThread) new w.Worker(__filename).on('message', m => console.log(m)); else w.parentPort.postMessage(require('fs').readFileSync('lib/m.js', 'utf8'))",
    "crypto": "const c = require('crypto'); console.log(c.randomBytes(9).length, c.createHash('sha256').update('x').digest('hex')); require('zlib').gzip('x'.repeat(999), (e, b) => console.log(b.length))",
    "mkdtemp": "const fs = require('fs'), os = require('os'), d = fs.mkdtempSync(os.tmpdir() + '/x-'); fs.writeFileSync(d + '/a', 'b'); console.log(fs.readdirSync(d)); fs.rmSync(d, {recursive: true})",
}  # fmt: skip


@pytest.mark.parametrize("name", NODE_CASES)
def test_L2_node(name, box, needs):
    needs("node")
    box.file("program.js", NODE_CASES[name])
    box.file("lib/m.js", "exports.x = 5\n")
    box.file("lib/child.js", "process.send({ from: 'child' })\n")
    box.replays(["node", "program.js"])


def test_L2_npm_pack(box, needs, env):
    needs("npm")
    env["npm_config_update_notifier"] = "false"
    (box.home / ".npm").mkdir()  # else it is made at the top of the home: see test_learn_files.py
    box.file("package.json", '{ "name": "x", "version": "1.0.0", "main": "index.js", "scripts": { "prepack": "echo packing >made" } }')
    box.file("index.js", "module.exports = 1\n")
    box.replays(["npm", "pack", "--offline", "--loglevel=error"], ignore=(r"\.tgz$", "!home/.npm/_logs/.", r"_cacache/index"))


def test_L2_npm_run(box, needs, env):
    needs("npm")
    env["npm_config_update_notifier"] = "false"
    (box.home / ".npm").mkdir()  # else it is made at the top of the home: see test_learn_files.py
    box.file("package.json", '{ "name": "x", "version": "1.0.0", "scripts": { "build": "node build.js && cat out" } }')
    box.file("build.js", "require('fs').writeFileSync('out', 'built\\n')\n")
    box.replays(["npm", "run", "--offline", "--loglevel=error", "build"], ignore=("!home/.npm/_logs/.",))


PERL_CASES = {
    "hello": ["perl", "-e", "print qq(hello\\n)"],
    "modules": ["perl", "-MPOSIX=strftime", "-MFile::Temp=tempfile", "-MData::Dumper", "-MCwd", "-e", "my ($f, $n) = tempfile(UNLINK => 1); print $f 'x'; close $f; print -s $n, getcwd eq $ENV{PWD} ? 'same' : 'other'"],
    "in-place": ["perl", "-pi", "-e", "s/a/b/", "text"],
    "in-place-backup": ["perl", "-pi.orig", "-e", "s/a/b/", "text"],
    "pipe": ["perl", "-e", "open my $p, '-|', 'cat', 'text' or die; print <$p>; open my $o, '>', 'out'; print $o 'x'; close $o; print `cat out`; unlink 'out'; opendir D, '.'; print sort grep !/^\\./, readdir D"],
    "find": ["perl", "-MFile::Find", "-MFile::Path=make_path,remove_tree", "-MFile::Copy", "-e", "make_path('a/b/c'); copy('text', 'a/b/c/t'); find(sub { print \"$File::Find::name\\n\" if -f }, 'a'); move('a/b/c/t', 'moved'); remove_tree('a')"],
}  # fmt: skip


@pytest.mark.parametrize("name", PERL_CASES)
def test_L2_perl(name, box, env):
    env["PWD"] = str(box.work)
    box.file("text", "aaa\n")
    box.replays(PERL_CASES[name])


def test_L2_java(box, needs):
    """Compiled and run, and out of an archive."""
    needs("javac")
    box.file(
        "Hello.java",
        """import java.nio.file.*;
public class Hello {
	public static void main(String[] a) throws Exception {
		Path p = Files.createTempFile("x", ".y");
		Files.writeString(p, "temporary");
		Files.writeString(Path.of("out"), Files.readString(p) + a.length);
		Files.delete(p);
		Thread t = new Thread(() -> System.out.println("thread"));
		t.start();
		t.join();
		System.out.println(Files.readString(Path.of("out")));
	}
}
""",
    )
    box.replays(["javac", "-d", "classes", "Hello.java"])
    box.call(["javac", "-d", "classes", "Hello.java"])
    box.replays(["java", "-cp", "classes", "Hello", "argument"])


def test_L2_java_version(box, needs):
    needs("java")
    box.replays(["java", "-version"])


VIM_CASES = {
    "edit": ["vim", "-es", "-u", "NONE", "-c", "%s/a/b/", "-c", "wq", "text"],
    "configured": ["vim", "-es", "-c", "%s/a/b/", "-c", "wq", "text"],
    "swap": ["vim", "-es", "-u", "NONE", "-c", "set swapfile backup", "-c", "%s/a/b/", "-c", "wq", "text"],
    "new": ["vim", "-es", "-c", "call setline(1, 'x')", "-c", "w new", "-c", "qa!"],
    "shell": ["vim", "-es", "-u", "NONE", "-c", "r !echo from the shell", "-c", "%!sort", "-c", "wq", "text"],
}


@pytest.mark.parametrize("name", VIM_CASES)
def test_L2_L17_vim(name, box, needs):
    needs("vim")
    box.file("text", "aaa\nccc\n")
    box.replays(VIM_CASES[name], ignore=(r"\.viminfo",))


SQLITE_CASES = {
    "create": ("create table t (a, b); insert into t values (1, 'x'), (2, 'y'); select * from t;", ""),
    "update": ("begin; update t set a = 5; insert into t select * from t; commit; select * from t; vacuum;", "create table t (a, b); insert into t values (1, 'x');"),
    "wal": ("pragma journal_mode=wal; update t set a = 6; select * from t; pragma wal_checkpoint(truncate);", "create table t (a, b); insert into t values (1, 'x');"),
    "attach": ("attach 'other.db' as o; create table o.u as select * from t;\n.output dump.sql\n.dump\n.output\nselect count(*) from o.u;", "create table t (a, b); insert into t values (1, 'x');"),
    "temporary": ("pragma temp_store=file; create temp table big as with recursive c(x) as (select 1 union all select x+1 from c limit 20000) select x, hex(randomblob(90)) y from c; select count(*) from big;", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", SQLITE_CASES)
def test_L2_sqlite3(name, box, needs):
    program = needs("sqlite3")
    commands, before = SQLITE_CASES[name]
    if before:
        subprocess.run([program, box.work / "x.db", before], check=True, stdin=subprocess.DEVNULL)
    box.replays(["sqlite3", "-batch", "x.db"], stdin=commands, ignore=(r"\.db", r"dump\.sql$"))


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_L2_ssh_keygen(kind, box, needs):
    needs("ssh-keygen")
    size = ["-b", "1024"] if kind == "rsa" else []
    strip = lambda text: re.sub(r"SHA256:\S+|^[|+].*$", "", text, flags=re.M)  # noqa: E731
    box.replays(["ssh-keygen", "-q", "-t", kind, *size, "-N", "", "-C", "x", "-f", "key"], ignore=(r"work/key",), normal=strip)
    box.call(["ssh-keygen", "-q", "-t", kind, *size, "-N", "", "-C", "x", "-f", "key"])
    box.replays(["ssh-keygen", "-l", "-f", "key.pub"])
    box.replays(["ssh-keygen", "-p", "-P", "", "-N", "12345", "-f", "key"], ignore=(r"work/key",))



PAGE = ".Dd today\n.Dt THING 1\n.Os\n.Sh NAME\n.Nm thing\n.Nd does things\n.Sh DESCRIPTION\nText.\n"


def test_L2_man(box, needs, env):
    needs("man")
    box.file("man/man1/thing.1", PAGE)
    env["MANPATH"] = str(box.work / "man")
    env["MANWIDTH"] = "80"
    box.replays(["man", "thing"])
    box.replays(["man", "./man/man1/thing.1"])
    box.replays(["man", "-w", "thing"])


def test_L2_L13_busybox(box, needs):
    busybox = needs("busybox")
    box.file("d/1", "text\n")
    box.replays(["busybox", "sh", "-c", "cat d/1 | tr a-z A-Z; ls d; for i in 1 2; do echo $i; done >out; wc -l out"])
    os.symlink(busybox, box.work / "wc")
    profile = box.replays(["./wc", "-l", "d/1"])
    assert profile.data["program"]["exec"] == str(box.work / "wc") or profile.data["program"].get("argv0") == "./wc", profile.text
    (box.work / "bin").mkdir()
    for applet in ("cat", "sh", "sed", "rm"):
        os.symlink(busybox, box.work / "bin" / applet)
    box.file("applets.sh", "#!bin/sh\ncat d/1\nsed -i s/text/changed/ d/1\ncat d/1\nrm d/1\n", 0o755)
    box.replays(["./applets.sh"], env={"PATH": f"{box.work}/bin"})


@pytest.mark.parametrize("cc", ["gcc", "musl-gcc"])
def test_L2_L12_static_program(cc, box, needs, program):
    """A static program that uses the oldest calls: open, creat, mkdir, rename, unlink, link, symlink, from threads too."""
    needs(cc)
    box.file("old", "text\n")
    profile = box.replays([program("legacy", cc=cc), "old"])
    assert profile.grants(str(box.work / "old"), "read")
    assert not [p for p in profile.entries() if "/ld" in p or ".so" in p], profile.text


def test_L2_L13_script_with_arguments(box):
    box.file("tool", '#!/bin/sh -eu\necho "$0" "$#" "$1" "$2"\ncat data\n', 0o755)
    box.file("data", "text\n")
    profile = box.replays(["./tool", "a b", "", "ünï"], status=0)
    assert profile.data["program"]["args"] == ["a b", "", "ünï"]
    box.file("env-tool", "#!/usr/bin/env python3\nimport sys; print(sys.argv)\n", 0o755)
    box.replays(["./env-tool", "--", "-x"])
    box.file("bin/nested", f"#!{box.work}/tool again\nignored\n", 0o755)
    box.replays(["nested", "last"], env={"PATH": f"{box.work}/bin:/usr/bin:/bin"})
    box.file("awk-tool", '#!/usr/bin/awk -f\nBEGIN { print "awk", ARGC }\n', 0o755)
    box.replays(["./awk-tool", "x"])


def test_L2_script_without_a_line(box):
    """execve gives ENOEXEC, and the shell runs it itself."""
    box.file("plain", "echo plain $1\n", 0o755)
    box.replays(["sh", "-c", "./plain x"])
    box.replays(["env", "sh", "-c", "PATH=$PATH:.; plain x"])


BASH_CASES = {
    "substitution": "cat <(echo one) <(sort <(printf '2\\n1\\n')) > >(cat >out); sleep 0.2; cat out",
    "here-document": "cat <<X\nhello $((1+1))\nX\ncat <<<'a string'\nread a b < <(echo 1 2); echo $b",
    "large-here-document": "x=$(printf %070000d 1); cat <<X | wc -c\n$x\nX",
    "globs": "shopt -s globstar nullglob; echo *.c **/*.h d/[ab]*; for f in d/*; do cat $f; done",
    "jobs": "for i in 1 2 3 4; do (sleep 0.1; echo $i >o$i) & done; wait; cat o*; coproc cat; echo x >&${COPROC[1]}; read -u ${COPROC[0]} y; echo $y",
    "traps": "trap 'echo trapped; rm -f lock' EXIT; set -C; echo 1 >lock; (exit 3); echo $?; trap 'echo usr1' USR1; kill -USR1 $$; ulimit -n >/dev/null",
    "source": "source d/a.sh; echo $fromfile; exec 3>log; echo x >&3; exec 3>&-; exec 4<d/b; read -u 4 line; echo $line",
    "descriptors": "echo err >/dev/stderr; echo out >/dev/stdout; cat /dev/stdin <d/b; exec 5<>rw; echo x >&5; cat /dev/fd/3 3<d/b; cat /proc/self/fd/3 3<d/b",
    "pushd": "pushd d >/dev/null; pwd; popd >/dev/null; cd d && cd - >/dev/null; mapfile -t l <d/b; echo ${#l[@]}; type -P cat; command -v nothing || echo none",
}  # fmt: skip


@pytest.mark.parametrize("name", BASH_CASES)
def test_L2_bash(name, box):
    box.file("d/a.sh", "fromfile=yes\n")
    box.file("d/b", "line\n")
    box.file("x.c", "")
    box.file("deep/er/y.h", "")
    box.replays(["bash", "-c", BASH_CASES[name]])


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_L2_shell_on_a_terminal(shell, box, terminal):
    """An interactive shell: learned with somebody typing, then run on another terminal with another number."""
    box.file("d/text", "content of the file\n")
    box.save()

    def session(command):
        one = terminal(command, env={"PS1": "ready> ", "ENV": "", "HISTFILE": ""})
        one.expect("ready> ")
        one.send("cat d/text\n")
        one.expect("content of the file\r?\n")
        one.expect("ready> ")
        one.send("tty; test -t 0 && echo is-$((1+1)); echo made >new; stty size >/dev/tty\n")
        one.expect(r"/dev/pts/\d+")
        one.expect("is-2")
        one.expect(r"\d+ \d+")
        one.expect("ready> ")
        one.send("exit 5\n")
        assert one.wait() == 5, one.seen

    profile = box.new_profile()
    options = ["--norc", "-i"] if shell == "bash" else ["-i"]
    keep = ["--keep-failed"]
    session([box.sandlock, *LEARN_MODE, *keep, "-o", profile, "--", shell, *options])
    assert not re.search(r'"/dev/pts/\d', profile.read_text()), profile.read_text()
    box.restore()
    hold = terminal(["cat"])  # so that the number differs
    session([box.sandlock, "run", "-p", profile])
    assert (box.work / "new").read_text() == "made\n"
    hold.send("\x04")
    hold.wait()


ON_A_TERMINAL = {
    "vim": (["vim", "-i", "NONE", "text"], [("hello", ":sleep 1200m\r:%s/hello/changed/\r:wq\r")]),
    "less": (["less", "text"], [("hello", "q")]),
    "python": ([PYTHON, "-qS"], [(">>> ", "print(40 + 2)\n"), ("42", "raise SystemExit\n")]),
    "sqlite3": (["sqlite3", "x.db"], [("sqlite> ", "create table t (a); select 40 + 2;\n"), ("42", ".quit\n")]),
    "password": (["bash", "-c", "read -sp 'say: ' x; echo got $x; echo $x >/dev/tty"], [("say: ", "it\n"), ("got it", "")]),
}  # fmt: skip


@pytest.mark.parametrize("name", ON_A_TERMINAL)
def test_L2_on_a_terminal(name, box, terminal):
    """Programs that draw, edit lines, and set the terminal's modes; run on another terminal than they were learned on.
    No progress line is drawn into theirs."""
    command, steps = ON_A_TERMINAL[name]
    box.file("text", "hello\n")
    box.save()

    def session(start):
        one = terminal(start, env={"TERM": "xterm", "LESSHISTFILE": "-"})
        for number, (pattern, answer) in enumerate(steps):
            one.expect(pattern)
            before = one.everything if number == 0 else before  # a slow start may show the line
            one.send(answer)
        assert one.wait() == 0, one.seen
        assert "calls seen" not in one.everything[len(before) :], one.everything
        return box.snapshot(ignore=(r"\.db$",))

    profile = box.new_profile()
    bare = session(command)
    box.restore()
    before = box.snapshot()
    learned = session([box.sandlock, *LEARN_MODE, "-o", profile, "--", *command])
    assert learned == (bare if IN_PLACE else before)
    box.restore()
    hold = terminal(["cat"])  # so that the number differs
    assert session([box.sandlock, "run", "-p", profile]) == bare
    hold.send("\x04")
    hold.wait()


def test_L2_script_records_a_terminal(box, needs):
    """script(1) opens /dev/ptmx and gives a shell the terminal."""
    needs("script")
    box.replays(["script", "-qec", "tty | sed 's/[0-9]*$//'; echo x >made; exit 3", "typescript"], status=3, options=("--keep-failed",), ignore=("typescript",))


def test_L2_interpreter_of_another_version(box):
    """Whatever interpreter runs these tests, with its own prefix."""
    box.replays([sys.executable, "-c", "import json, sys; print(json.dumps(sys.argv))", "x"])
