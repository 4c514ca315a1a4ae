"""L7 to L11 with everyday commands that change much: each is run bare, learned and run under its profile, and lists the tree
it sees before it ends. Learned on the copy-on-write view it must leave the disk exactly as it was."""

import re

import pytest

from conftest import is_root
from test_corpus_files import OLD, PYTHON, TREE, Case, sh

# Everything that can be seen of a tree from inside: names, kinds, modes, links, targets, sizes of files, contents.
SEE = (
    "find . -type d -printf '%p %y %m %n\\n' -o -printf '%p %y %m %n %s %l\\n' | sort;"
    " find . -type f -print0 | sort -z | xargs -0 -r md5sum; stat -c '%Y' $(find . -name '*.c' | sort | head -3) /dev/null | head -3"
)


def without_now(text):
    """Times of this run are ten digits, those that a test sets are fewer."""
    return re.sub(r"(?m)^\d{10}$", "", text)


def seen(script, setup=TREE, normal=without_now, **more):
    return sh(f"{script}; status=$?; {SEE}; exit $status", setup=setup, normal=normal, **more)


WHEEL = (
    "mkdir -p w/one w/one-1.0.dist-info && echo 'print(\"imported\")' >w/one/__init__.py && cd w"
    " && printf 'Metadata-Version: 2.1\\nName: one\\nVersion: 1.0\\n' >one-1.0.dist-info/METADATA"
    " && printf 'Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n' >one-1.0.dist-info/WHEEL"
    " && printf 'one/__init__.py,,\\none-1.0.dist-info/METADATA,,\\none-1.0.dist-info/WHEEL,,\\none-1.0.dist-info/RECORD,,\\n'"
    " >one-1.0.dist-info/RECORD && zip -qr ../one-1.0-py3-none-any.whl . && cd .. && rm -r w"
)
PROJECT = (
    "printf 'int f(void);\\nint main(void) { return f(); }\\n' >main.c; printf 'int f(void) { return 0; }\\n' >f.c;"
    " printf 'CFLAGS=-O0\\nall: prog gen.h test\\nprog: main.o f.o\\n\\t$(CC) -o $@ $^\\ngen: gen.c\\n\\t$(CC) -o $@ $<\\ngen.h: gen\\n\\t./gen >$@\\n"
    "test: prog\\n\\t./prog && echo passed >test\\n' >Makefile; printf '#include <stdio.h>\\nint main(void) { puts(\"#define X 1\"); return 0; }\\n' >gen.c"
)

CASES = {
    "cp-a": seen("cp -a d copy; cp -al d linked; cp -as $PWD/d symbolic", f"{TREE}; {OLD}"),
    "rsync": seen("rsync -a d/ copy/; echo more >>copy/1; rsync -a --delete --inplace d/ copy/; rsync -aH d other", f"{TREE}; {OLD}; ln d/3 d/hard"),
    "mv-trees": seen("mv d/e other; mv d other/; mv other/d d; mkdir d/e; mv -T other d/e"),
    "mv-directory-and-work-in-it": seen("cd d/e; mv ../../d ../../moved; pwd -P | sed 's/.*work//'; echo new >here; cat ../1; cd ..; ls; mkdir -p x/y; cd x/y; mv ../../x ../../z; touch made"),
    "mv-exchange": Case([PYTHON, "-c", (
        "import ctypes, os; l = ctypes.CDLL(None, use_errno=True)\ndef r(a, b, f): print(l.renameat2(-100, a, -100, b, f), ctypes.get_errno())\n"
        "r(b'd/1', b'd/e', 2); print(os.path.isdir('d/1'), open('d/e').read()); r(b'd/2', b'd/3', 1); r(b'd/2', b'd/new', 1); print(sorted(os.listdir('d')))"
    )], TREE),
    "find-delete": seen("find d -name '*.c' -delete; find d -depth -type d -empty -delete"),
    "rm-and-make-again": seen("rm -rf d; mkdir d; echo other >d/1; mkdir d/e; ln d/1 d/e/1; rm d/1; rm -rf d; ls"),
    "install-m": seen("install -m 755 d/1 d/2; install -D -m 640 d/3 a/b/c; install -d -m 711 q; install -s -m 755 /bin/true t; ./t && echo ran", needs=("strip",)),
    "dpkg-deb": seen(
        "dpkg-deb -b pkg p.deb; dpkg-deb -x p.deb out; dpkg-deb -c p.deb | wc -l; rm p.deb",
        "mkdir -p pkg/DEBIAN pkg/usr/share/p; printf 'Package: p\\nVersion: 1\\nArchitecture: all\\nMaintainer: a <a@b>\\nDescription: p\\n' >pkg/DEBIAN/control; echo x >pkg/usr/share/p/f; chmod -R go-w pkg",
        normal=lambda text: re.sub(r"using .*", "", text), needs=("dpkg-deb",),
    ),
    "sqlite-wal-two-processes": sh(
        "sqlite3 x.db 'pragma journal_mode=wal; create table t (a); insert into t values (1);';"
        " (for i in 1 2 3 4 5; do sqlite3 -cmd '.timeout 20000' x.db \"insert into t values ($i)\"; done) & (for i in 6 7 8 9; do sqlite3 -cmd '.timeout 20000' x.db \"insert into t values ($i)\"; done); wait;"
        " sqlite3 x.db 'select count(*), sum(a) from t'", needs=("sqlite3",), ignore=(r"x\.db",)),
    "make-and-run": seen("make -s -j2 2>&1; ./prog; cat gen.h; touch f.c; make -s 2>&1; make -s -q; echo $?", PROJECT, normal=lambda t: re.sub(r"(?m)^.* (\./)?(prog|gen|.*\.o)$|^\d{10}$", "", t), ignore=(r"^work/(prog|gen)$", r"\.o$")),
    "configure-like": seen(
        "for f in stdio.h nothere.h sys/stat.h; do printf '#include <%s>\\nint main(void) { return 0; }\\n' $f >conftest.c; if cc -o conftest conftest.c 2>/dev/null && ./conftest; then echo \"$f yes\"; else echo \"$f no\"; fi; rm -f conftest*; done;"
        " printf '#!/bin/sh\\necho \"$0\" \"$@\"\\n' >script; chmod +x script; ./script a b; cat <<X >s2\n#! $PWD/script -x\nX\nchmod +x s2; ./s2 c | sed \"s,$PWD,,g\"", PROJECT),
    "mkfifo-pipeline": seen("mkfifo a b; (cat a >b) & (seq 1000 >a) & sort -n b | tail -1; wait; rm a b"),
    "flock": seen("(flock 9; echo one >>log) 9>lock; (flock -s 9; echo two >>log) 9<lock; flock d echo three >>log; flock -n d/1 cat d/1"),
    "sed-i": seen("sed -i s/1/one/ d/1; sed -i.orig s/2/two/ d/2; sed -i --follow-symlinks s/1/uno/ d/e/link", ignore=()),
    "vim": seen("vim -es -u NONE -i NONE -c '%s/1/one/' -c wq d/1; vim -es -u NONE -i NONE -c 'set backup backupdir=.' -c 'normal ihello' -c 'w! d/new' -c q d/2", needs=("vim",)),
    "logrotate-like": seen("mv log.1 log.2; mv log log.1; : >log; chmod 640 log; gzip -n log.2; echo new >>log; ln -sf log.1 previous", "for i in log log.1; do echo $i >$i; done"),
    "deep": Case([PYTHON, "-c", (
        "import os\ntop = os.getcwd()\nfor i in range(300): os.mkdir('directory%d' % i); os.chdir('directory%d' % i)\nopen('f', 'w').write('x'); print(len(os.getcwd()) - len(top), os.listdir('.'))\n"
        "os.chdir(top); print(sum(len(d) + len(f) for _, d, f in os.walk('.')))\nimport shutil; shutil.rmtree('directory0'); print(os.listdir('.'))"
    )]),
    "twenty-thousand-files": Case([PYTHON, "-c", (
        "import os\nos.mkdir('many')\nfor i in range(20000): os.close(os.open('many/%d' % i, os.O_CREAT | os.O_WRONLY))\n"
        "print(len(os.listdir('many')), len(set(os.listdir('many'))))\nfor i in range(0, 20000, 2): os.unlink('many/%d' % i)\nprint(len(os.listdir('many')))\n"
        "seen = 0\nwith os.scandir('many') as entries:\n  for e in entries: os.rename(e.path, 'many/x' + e.name); seen += 1\n  if seen > 30000: print('endless')\nprint(len([n for n in os.listdir('many') if n[0] == 'x']))\nimport shutil; shutil.rmtree('many')"
    )]),
    "holes": seen("truncate -s 100M big; echo x | dd of=big bs=1 seek=50000000 conv=notrunc status=none; cp --sparse=always big copy; cmp big copy; [ $(du -k big | cut -f1) -lt 1000 ] && echo sparse; rm big copy"),
    "hard-links": seen("ln d/1 d/x; echo more >>d/x; cat d/1; [ d/1 -ef d/x ] && echo same; ln d/hard d/y; echo z >d/y; cat d/hard d/3; rm d/3; stat -c %h d/hard; mv d/hard d/e/; cat d/e/hard", f"{TREE}; ln d/3 d/hard"),
    "symbolic-links": seen("ln -s /etc/hostname abs; ln -s $PWD/d/e there; ln -s ../../d/1 d/e/up; cat there/1.c d/e/up; echo through >there/new; readlink d/e/up; mv d/e d/f; cat there/1.c; ln -sfn $PWD/d/f there; cat there/new; rm there; ln -s loop loop; cat loop; ln -s none dangling; echo made >dangling; cat none", ignore=(), normal=lambda t: re.sub(r"/\S*/work", "", t)),
    "read-your-writes": Case([PYTHON, "-c", (
        "import os, mmap\nf = os.open('d/1', os.O_RDWR); os.write(f, b'new!'); print(open('d/1').read(), os.stat('d/1').st_size, os.fstat(f).st_ino == os.stat('d/1').st_ino)\n"
        "m = mmap.mmap(f, 4); m[0:1] = b'N'; m.flush(); print(open(f'/proc/self/fd/{f}').read(), os.readlink(f'/proc/self/fd/{f}')[-4:])\n"
        "os.unlink('d/1'); print(os.path.exists('d/1'), os.fstat(f).st_nlink, os.pread(f, 9, 0)); os.mkdir('d/1'); print(os.listdir('d/1'), sorted(os.listdir('d')))\n"
        "os.chdir('d/1'); print(os.getcwd()[-4:]); open('x', 'w').write('y'); os.rename('../1', '../9'); print(os.getcwd()[-4:], os.listdir('.'), os.listdir('../9'))\n"
        "os.fchmod(f, 0o600); print(oct(os.fstat(f).st_mode)); d = os.open('..', os.O_RDONLY); print(os.stat('2', dir_fd=d).st_size, os.access('2', os.W_OK, dir_fd=d)); os.replace('../2', '../3'); print(open('../3').read())"
    )], TREE),
    "errors": Case([PYTHON, "-c", (
        "import os, errno\ndef t(f, *a, **k):\n  try: f(*a, **k); print('ok', end=' ')\n  except OSError as e: print(errno.errorcode[e.errno], end=' ')\n"
        "o = os.open; W = os.O_WRONLY; C = os.O_CREAT\nt(os.mkdir, 'd'); t(os.rmdir, 'd'); t(os.rmdir, 'd/1'); t(os.unlink, 'd'); t(o, 'd/1', C | W | os.O_EXCL); t(o, 'd', W); t(o, 'd/1/x', W | C); t(o, 'none/x', W | C); t(os.link, 'd', 'x');"
        " t(os.rename, 'd', 'd/e/x'); t(os.rename, 'd/1', 'd/e'); t(os.rename, 'd/e', 'd/1'); os.symlink('l', 'l'); t(o, 'l', W | C); t(o, 'l', W | os.O_NOFOLLOW); t(os.mkdir, 'l'); t(os.mkdir, 'x' * 256); t(os.symlink, '', 'q'); t(os.truncate, 'd', 0);"
        " t(os.mkdir, 'n/'); t(o, 'n/', C | W); t(os.unlink, 'n'); t(os.rmdir, 'n/.'); t(os.rmdir, 'n'); t(os.rmdir, 'n'); t(os.rename, 'n', 'm'); t(os.link, 'd/1', 'd/2'); t(os.mkfifo, 'd/1'); t(os.listdir, 'd/1'); t(os.chdir, 'd/1'); t(os.readlink, 'd/1')"
    )], TREE),
    "sockets": Case([PYTHON, "-c", (
        "import socket, os, stat, threading\ns = socket.socket(socket.AF_UNIX); s.bind('sock'); s.listen(); print(stat.S_ISSOCK(os.stat('sock').st_mode), s.getsockname())\n"
        "def serve():\n  c, _ = s.accept(); c.sendall(c.recv(9).upper()); c.close()\nt = threading.Thread(target=serve); t.start(); c = socket.socket(socket.AF_UNIX); c.connect('sock'); c.sendall(b'hello'); print(c.recv(9)); t.join(); os.unlink('sock'); print(os.listdir('.'))"
    )], messages=("network effects",)),
    "pip-wheel": sh("python3 -m pip install -q --no-index --no-deps --no-compile --disable-pip-version-check --target site one-1.0-py3-none-any.whl && PYTHONPATH=site python3 -B -c 'import one' && find site -type f | sort", setup=WHEEL, needs=("zip",), normal=None, ignore=(r"RECORD$", r"\.cache"), messages=("network effects",)),
    "git-rebase": seen(
        "cd r && git checkout -q -b side HEAD~1 && echo s >s && git add s && git commit -qm s && git rebase -q main && git log --format=%s && git status --short && git clone -q . ../c && ls ../c && cd .. && rm -rf r/.git c/.git",
        "git init -q -b main r && cd r && git config user.name a && git config user.email a@b && for i in 1 2 3; do echo $i >f$i; git add .; git commit -qm $i; done", needs=("git",)),
    "tar-many": seen("tar xf a.tar && rm -r d && tar xf a.tar && tar cf - d | tar tf - | wc -l", f"mkdir d; cd d; for i in $(seq 300); do echo $i >$i; done; cd ..; tar cf a.tar d; rm -r d", ignore=()),
    "var-writer": sh("mkdir -p var/cache/apt/archives/partial && f=var/cache/apt/archives/partial/p.deb && echo x >$f.tmp && mv $f.tmp $f && mv $f var/cache/apt/archives/ && cat var/cache/apt/archives/p.deb && exec 9>var/lock && flock -n 9 && echo locked", setup="mkdir -p var/cache"),
    "ctime-and-times": Case([PYTHON, "-c", (
        "import os; os.utime('d/1', ns=(1000000001, 2000000002)); s = os.stat('d/1'); print(s.st_atime_ns, s.st_mtime_ns); os.utime('d/e', (5, 6)); print(os.stat('d/e').st_mtime); b = os.stat('d').st_mtime_ns; open('d/new', 'w'); print(os.stat('d').st_mtime_ns > b)"
    )], f"{TREE}; {OLD}"),
    "xattrs": Case([PYTHON, "-c", (
        "import os; os.setxattr('d/1', 'user.a', b'1'); os.setxattr('d', 'user.d', b'2'); print(os.listxattr('d/1'), os.getxattr('d', 'user.d')); os.removexattr('d/1', 'user.a'); print(os.listxattr('d/1'), os.getxattr('d/2', 'user.old'));"
        " f = os.open('d/2', os.O_RDONLY); os.setxattr(f, 'user.f', b'3'); print(sorted(os.listxattr('d/2')), sorted(os.listxattr(f)))\ntry: os.getxattr('d/2', 'user.none')\nexcept OSError as e: print(e.errno)"
    )], f"{TREE}; {PYTHON} -c \"import os; os.setxattr('d/2', 'user.old', b'x')\""),
    "tmpfile-linkat": Case([PYTHON, "-c", (
        "import os; f = os.open('d', os.O_TMPFILE | os.O_RDWR); os.write(f, b'content'); print(os.listdir('.')); import ctypes; print(ctypes.CDLL(None).linkat(-100, f'/proc/self/fd/{f}'.encode(), -100, b'd/linked', 0x400)); print(open('d/linked').read(), os.fstat(f).st_nlink)"
    )], TREE),
    "busybox": seen("busybox sh -c 'mkdir b; cp -r d b/; mv b c; rm -r d; cd c; ls; tar cf t.tar d; tar tf t.tar | wc -l; rm t.tar'", needs=("busybox",)),
    "perl": seen("perl -e 'mkdir \"p\"; open F, \">p/f\"; print F \"x\"; close F; rename \"p/f\", \"p/g\"; chdir \"p\"; use Cwd; print getcwd() =~ m,/p$, ? 1 : 0; utime 1, 2, \"g\"; symlink \"g\", \"s\"; print readlink \"s\"; print -s \"s\"'"),
    "shell-redirections": seen("exec 3<>d/1; read -r x <&3; echo \"got $x\"; echo appended >&3; exec 3>&-; cat d/1; { echo a; echo b >&2; } >both 2>&1; cat both; cat <<X >here\ntext\nX\nset -C; (echo no >d/2) 2>/dev/null || echo kept; >>d/2 echo more"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_L7_L8_L10_changes(name, box, needs):
    case = CASES[name]
    for one in case.needs:
        needs(one)
    if case.setup:
        made = box.call(["sh", "-c", f"set -e; {case.setup}"])
        assert made.status == 0, made.describe()
    box.replays(case.command, status=case.status, stdin=case.stdin, ignore=case.ignore, normal=case.normal, allow_messages=case.messages, siblings=False)


def test_L8_postgres(box):
    """initdb and a server on a socket of its own; as root, which it refuses to be, that refusal."""
    programs = "/usr/lib/postgresql/15/bin"
    if is_root():
        box.replays([f"{programs}/initdb", "-D", "data"], status=1)
        return
    script = (
        f"set -e; {programs}/initdb -A trust -D data -N >/dev/null; {programs}/pg_ctl -D data -w -s -o \"-k $PWD -c listen_addresses='' -c fsync=off\" -l log start;"
        f" psql -h $PWD -d postgres -At -c 'create table t (a int); insert into t select generate_series(1, 100); select sum(a) from t'; {programs}/pg_ctl -D data -s -m fast stop; ls data | wc -l"
    )
    box.replays(["sh", "-c", script], ignore=("!^work/data", "^work/log"), siblings=False, timeout=300)
