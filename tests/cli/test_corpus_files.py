"""L2 for the programs that handle files: each is learned in place, everything is put back, and the profile alone must do
the same again: the same status, output and tree. Afterwards what it did not use is refused. See Box.replays()."""

import dataclasses
import re

import pytest

PYTHON = "/usr/bin/python3"


@dataclasses.dataclass
class Case:
    """One command. `setup` is a shell script run without the tool, in the working directory, before anything is learned."""

    command: object
    setup: str = ""
    status: int = 0
    stdin: str = None
    needs: tuple = ()
    ignore: tuple = ()
    normal: object = None
    tmp: bool = False  # it uses the temporary directory: the profile must say so
    messages: tuple = ()


def sh(script, **more):
    return Case(["sh", "-c", script], **more)


TREE = "mkdir -p d/e/f; for i in 1 2 3 4; do echo $i >d/$i; echo $i >d/e/$i.c; done; ln -s ../1 d/e/link; chmod 750 d/e; chmod 600 d/2"
OLD = "touch -d '2001-02-03 04:05:06' d/1 d/e/1.c d/e"
SHOW = "find . | sort | xargs stat -c '%n %a %F'"

CASES = {
    "cat": Case(["cat", "/etc/hostname"]),
    "cat-many": Case(["cat", "d/1", "./d/../d/e/2.c", "d/e/link"], TREE),
    "cat-stdin": Case(["cat", "-", "d/1"], TREE, stdin="first\n"),
    "cat-missing": Case(["cat", "d/1", "d/none"], TREE, status=1),
    "ls-etc": Case(["ls", "/etc"]),
    "ls-long": Case(["ls", "-laR", "--time-style=+", "d"], TREE, normal=lambda t: re.sub(r"(total|\d+) *\d*", "", t)),
    "ls-colour": Case(["ls", "--color=always", "-R", "."], TREE),
    "du": Case(["du", "-ab", "--apparent-size", "d/e"], TREE),
    "df": sh("df -P . | wc -l"),
    "stat": Case(["stat", "-c", "%n %s %F", "d", "d/1", "/dev/null"], TREE),
    "find": Case(["find", ".", "-name", "*.c", "-size", "-100", "-type", "f"], TREE),
    "find-exec": Case(["find", ".", "-name", "*.c", "-exec", "wc", "-l", "{}", "+"], TREE),
    "find-exec-each": Case(["find", "d", "-type", "f", "-exec", "cat", "{}", ";"], TREE),
    "find-delete": Case(["find", ".", "-name", "*.c", "-delete"], TREE),
    "find-usr": sh("find /usr/share/doc/libc6 -type f | sort"),
    "xargs": sh("find d -name '*.c' -print0 | sort -z | xargs -0 -n 2 -P 2 md5sum | sort", setup=TREE),
    "grep": Case(["grep", "-rn", "3", "d"], TREE),
    "grep-none": Case(["grep", "-r", "nowhere", "d"], TREE, status=1),
    "sort": Case(["sort", "-r", "-o", "sorted", "d/1", "d/2"], TREE),
    "sort-temporary": sh("seq 60000 -1 1 | sort -n -S 200K --parallel=2 | head -2", tmp=True),
    "sort-onto-itself": Case(["sort", "-n", "-o", "list", "list"], "printf '3\\n1\\n2\\n' >list"),
    "sed": Case(["sed", "s/1/one/", "d/1"], TREE),
    "sed-in-place": Case(["sed", "-i", "s/1/one/", "d/1", "d/e/1.c"], TREE),
    "sed-in-place-backup": Case(["sed", "-i.bak", "s/1/one/", "d/1"], TREE),
    "sed-write": Case(["sed", "-n", "w copy", "d/1"], TREE),
    "head-tail": sh("head -n1 d/1; tail -c 2 d/2; tac d/3; od -c d/4; wc d/1", setup=TREE),
    "mktemp": sh("f=$(mktemp) && echo hello >$f && cat $f && rm $f", tmp=True),
    "mktemp-directory": sh("d=$(mktemp -d) && echo 1 >$d/a && mv $d/a $d/b && cat $d/b && ls $d && rm -r $d", tmp=True),
    "mktemp-here": sh("f=$(mktemp ./x.XXXXXX) && echo hello >$f && mv $f result"),
    "mktemp-left": sh("f=$(mktemp) && echo hello >$f && cat $f", tmp=True),
    "mktemp-move-out": sh("f=$(mktemp) && echo hello >$f && mv $f out && d=$(mktemp -d) && echo 1 >$d/a && mv $d e && cat out e/a", tmp=True),
    "mktemp-move-in": sh("d=$(mktemp -d) && mv d/1 d/e $d/ && cat $d/1 $d/e/1.c && mv $d/1 d/", setup=TREE, tmp=True, messages=("EXDEV",)),
    "cp": Case(["cp", "d/1", "new"], TREE),
    "cp-over": Case(["cp", "d/1", "d/2"], TREE),
    "cp-force": Case(["cp", "-f", "--remove-destination", "d/1", "d/2"], TREE),
    "cp-archive": sh("cp -a d copy && stat -c '%n %a %Y' copy/1 copy/e copy/e/1.c copy/2 && cat copy/e/link", setup=f"{TREE}; {OLD}"),
    "cp-backup": Case(["cp", "--backup=numbered", "d/1", "d/2"], TREE),
    "cp-to-existing-tree": sh("cp -r d/e/. other && cat other/4.c", setup=f"{TREE}; mkdir other; echo old >other/1.c"),
    "cp-sparse": sh("cp --sparse=always --reflink=auto big copy && cmp big copy", setup="truncate -s 1M big; echo x >>big"),
    "dd": sh("dd if=d/1 of=copy bs=1 conv=fsync status=none; dd if=/dev/zero of=d/2 bs=4k count=2 status=none; wc -c d/2", setup=TREE),
    "tee": sh("cat d/1 | tee copy d/2 | tee -a d/3", setup=TREE),
    "split": sh("split -l 1 list part. && cat part.*", setup="printf '1\\n2\\n3\\n' >list"),
    "truncate": sh("truncate -s 100 d/1; truncate -s 0 d/2; truncate -s 10 new", setup=TREE),
    "append": sh("echo more >>d/1; echo new >>d/new; : >d/2", setup=TREE),
    "clobber": sh("echo over >d/1 && cat d/1 && echo again >|d/1", setup=TREE),
    "touch": sh("touch d/1 new; touch -d '2001-01-01' d/2; stat -c %Y d/2", setup=TREE),
    "mv": Case(["mv", "d/1", "d/one"], TREE),
    "mv-over": Case(["mv", "d/1", "d/2"], TREE),
    "mv-across": Case(["mv", "d/1", "other/"], f"{TREE}; mkdir other"),
    "mv-across-over": Case(["mv", "-f", "d/1", "other/1"], f"{TREE}; mkdir other; echo old >other/1"),
    "mv-directory": Case(["mv", "d/e", "moved"], TREE),
    "mv-directory-across": sh("mv d/e other/ && cat other/e/1.c && echo 9 >other/e/1.c", setup=f"{TREE}; mkdir other"),
    "mv-new-across": sh("echo made >d/new && mv d/new other/new && cat other/new", setup=f"{TREE}; mkdir other"),
    "mv-to-new-directory": sh("mkdir a a/b && mv d/1 a/b/ && mv a/b c && cat c/1", setup=TREE),
    "rename-back-and-forth": sh("mv d/1 d/x && mv d/x other/x && mv other/x d/1 && cat d/1", setup=f"{TREE}; mkdir other"),
    "ln": sh("ln d/1 d/hard && ln -s d/1 soft && ln -sf d/2 soft && cat soft d/hard && ln -f d/3 d/hard && cat d/hard", setup=TREE),
    "ln-across": sh("ln d/1 other/hard && echo more >>other/hard && cat d/1", setup=f"{TREE}; mkdir other"),
    "ln-symbolic-directory": sh("ln -sfn d/e current && cat current/1.c && ln -sfn d current && cat current/1", setup=TREE),
    "rm": Case(["rm", "d/1"], TREE),
    "rm-tree": Case(["rm", "-rf", "d", "none"], TREE),
    "rmdir": sh("mkdir -p a/b/c && rmdir -p a/b/c && mkdir -p d/e/f/g && rmdir d/e/f/g", setup=TREE),
    "mkdir": sh("mkdir -p d/e/x/y && echo 1 >d/e/x/y/z && mkdir -m 700 m && stat -c %a m", setup=TREE),
    "shred": Case(["shred", "-n", "1", "-u", "d/1"], TREE),
    "install": sh("install -D -m 755 d/1 dest/bin/1 && install -d dest/lib && install -m 644 d/2 dest/lib && stat -c '%a %n' dest/*/*", setup=TREE),
    "install-over": Case(["install", "-m", "700", "d/1", "d/2"], TREE),
    "chmod": sh("chmod 640 d/1; chmod -R u+x d/e; chmod u+s,g+s d/3; stat -c %a d/1 d/e/1.c d/3; chmod 1777 d/e; stat -c %a d/e", setup=TREE),
    "chown-to-itself": sh("chown $(id -u):$(id -g) d/1; chgrp -R $(id -g) d/e", setup=TREE),
    "umask": sh("umask 077; echo 1 >a; mkdir b; umask 002; echo 1 >c; stat -c %a a b c"),
    "attributes": Case([PYTHON, "-c", "import os; os.setxattr('d/1', 'user.x', b'1'); print(os.listxattr('d/1'), os.getxattr('d/1', 'user.x')); os.removexattr('d/1', 'user.x'); os.utime('d/1', (1, 2)); os.chmod('d/e', 0o700)"], TREE),
    "mkfifo": sh("mkfifo p; (cat p >out) & echo through >p; wait; cat out; rm p"),
    "fifo-existing": sh("cat d/1 >p & cat p; wait", setup=f"{TREE}; mkfifo p"),
    "flock": sh("flock lock sh -c 'echo locked >d/1' && flock -n lock true && flock -s d cat d/1", setup=TREE),
    "flock-descriptor": sh("exec 9>>lock; flock -x 9; echo held; flock -u 9", setup="echo 1 >lock"),
    "timeout": Case(["timeout", "20", "cat", "d/1"], TREE),
    "timeout-expires": Case(["timeout", "0.2", "sleep", "30"], status=124),
    "nice-nohup": Case(["nice", "-n", "5", "nohup", "cat", "d/1"], TREE),
    "env": Case(["env", "-i", "A=1", "/usr/bin/env"]),
    "tar-create": Case(["tar", "cf", "a.tar", "d"], TREE, ignore=(r"a\.tar$",)),
    "tar-list": Case(["tar", "tf", "a.tar"], f"{TREE}; tar cf a.tar d; rm -r d"),
    "tar-extract": sh(f"tar xf a.tar && {SHOW} && stat -c %Y d/1 d/e", setup=f"{TREE}; {OLD}; tar cf a.tar d; rm -r d"),
    "tar-extract-over": sh("tar xf a.tar && cat d/1", setup=f"{TREE}; {OLD}; tar cf a.tar d; echo changed >d/1"),
    "tar-gzip": sh("tar czf a.tgz d && rm -r d && tar xzf a.tgz && cat d/e/1.c", setup=TREE, ignore=(r"a\.tgz$",)),
    "tar-xz": sh("tar cJf a.txz d && tar tJf a.txz", setup=TREE, needs=("xz",), ignore=(r"a\.txz$",)),
    "tar-remove": sh("tar cf a.tar --remove-files d && ls", setup=TREE, ignore=(r"a\.tar$",)),
    "tar-pipe": sh("mkdir to && tar cf - d | tar xf - -C to && cat to/d/1", setup=TREE),
    "gzip": sh("gzip -9 d/1 && zcat d/1.gz && gunzip d/1.gz && gzip -k d/2 && gzip -t d/2.gz", setup=TREE, ignore=(r"\.gz$",)),
    "bzip2": sh("bzip2 d/1 && bzcat d/1.bz2", setup=TREE, needs=("bzip2",)),
    "xz": sh("xz -T1 d/1 && xzcat d/1.xz && unxz d/1.xz", setup=TREE, needs=("xz",)),
    "zip": sh("zip -qr a.zip d && rm -r d && unzip -q a.zip && cat d/1", setup=TREE, needs=("zip", "unzip"), ignore=(r"a\.zip$",)),
    "zip-update": sh("zip -q a.zip d/3 && unzip -l a.zip | wc -l", setup=f"{TREE}; zip -qr a.zip d/1", needs=("zip", "unzip"), ignore=(r"a\.zip$",)),
    "cpio-like": sh("find d | sort | tar cf a.tar --no-recursion -T - && tar tf a.tar", setup=TREE, ignore=(r"a\.tar$",)),
    "rsync": sh("rsync -a --delete d/ copy/ && cat copy/1 && rsync -a d/ copy/", setup=f"{TREE}; mkdir copy; echo x >copy/gone", needs=("rsync",)),
    "checksums": sh("sha256sum d/* d/e/*.c 2>/dev/null >sums; md5sum d/1; cksum d/2; sha256sum -c sums", setup=TREE),
    "diff": Case(["diff", "-ru", "d", "other"], f"{TREE}; cp -a d other; echo x >other/1", status=1, normal=lambda t: re.sub(r"\t.*", "", t)),
    "patch": sh("patch -p1 <p.diff && patch -R -p1 <p.diff && patch -p1 -b <p.diff", setup=f"{TREE}; mkdir a b; echo x >b/1; cp d/1 a/1; diff -u a/1 b/1 >p.diff || true; sed -i 's,[ab]/1,x/d/1,' p.diff", needs=("patch",)),
    "patch-new-file": sh("patch -p1 <p.diff; cat new/dir/file", setup="printf -- '--- /dev/null\\n+++ b/new/dir/file\\n@@ -0,0 +1 @@\\n+text\\n' >p.diff", needs=("patch",)),
    "join-comm": sh("sort d/1 >a; sort d/2 >b; comm a b; paste a b; join a b", setup=TREE),
    "csplit": sh("csplit -s list /2/ && cat xx00 xx01", setup="printf '1\\n2\\n3\\n' >list"),
    "iconv": sh("printf 'gr\\303\\274n' | iconv -f UTF-8 -t ISO-8859-15 | od -c; printf 'x' | iconv -f UTF-8 -t SHIFT_JIS"),
    "locale": sh("locale -a; locale charmap; LC_ALL=C.UTF-8 locale territory"),
    "date-zone": sh("TZ=America/New_York date -d @0; TZ=:Asia/Kolkata date -d @86400 +%F%T%Z"),
    "getent": sh("getent passwd root; getent group 0; getent services http/tcp; getent passwd nobody-there; echo $?"),
    "id": sh("id; id -un; groups"),
    "whoami": sh("whoami; logname 2>/dev/null; hostname; uname -srm; nproc"),
    "ldconfig": sh("/sbin/ldconfig -p | grep -c libc.so"),
    "ldd": sh("ldd /bin/ls | sed 's/(.*//'", messages=("a 32-bit program was started",)),  # it tries each loader that is there
    "awk": sh("awk '{ print $1 * 2 > \"out\" } END { while ((getline line < \"d/2\") > 0) print line; \"echo sub\" | getline x; print x }' d/1; cat out", setup=TREE),
    "gawk": sh("gawk -i inplace '{ print $1 + 1 }' d/1 && cat d/1", setup=TREE, needs=("gawk",)),
    "bc": Case(["bc", "-lq"], stdin="scale=10; 4*a(1)\n", needs=("bc",)),
    "less": sh("less d/1 | cat; less -F d/2 </dev/null | cat", setup=TREE, needs=("less",)),
    "openssl-digest": sh("openssl dgst -sha256 d/1", setup=TREE, needs=("openssl",)),
    "openssl-key": sh("openssl ecparam -name prime256v1 -genkey -noout -out k.pem && openssl req -x509 -new -key k.pem -subj /CN=x -days 2 -out c.pem && openssl x509 -in c.pem -noout -subject", needs=("openssl",), ignore=(r"\.pem$",)),
    "curl-file": sh("curl -s file://$PWD/d/1 -o copy && cat copy", setup=TREE, needs=("curl",)),
    "readlink": sh("readlink -f d/e/link; realpath d/../d/1; readlink /proc/self/exe; pwd -P", setup=TREE),
    "cd-everywhere": sh("cd d; cat 1; cd e; cat ../2; cd ..; cd ../d/e/..; ls", setup=TREE),
    "unusual-names": sh("cat 'a b' 'c\"d' 'e\\f' 'tab\tx' -- -x; rm -- -x; cp 'a b' 'new \"name\"'", setup="for n in 'a b' 'c\"d' 'e\\f' 'tab\tx' -x; do echo \"$n\" >\"./$n\"; done"),
    "long-names": sh("n=$(printf %0250d 1); echo 1 >$n; mkdir $n.d; echo 2 >$n.d/$n; cat $n.d/$n; mv $n m; ls | wc -l"),
    "proc": sh("cat /proc/self/status | head -1; grep -c . /proc/self/maps >/dev/null && echo maps; ls /proc/self/fd | wc -l; cat /proc/self/mountinfo >/dev/null && echo mounts; head -c 3 /proc/meminfo"),
    "proc-sys": sh("cat /proc/sys/kernel/ostype /proc/sys/vm/overcommit_memory; cat /sys/devices/system/cpu/online; wc -l </proc/cpuinfo"),
    "shm": sh("echo x >/dev/shm/sandlock-corpus-$PPID-$$ && cat /dev/shm/sandlock-corpus-* && rm /dev/shm/sandlock-corpus-$PPID-$$"),
    "devices": sh("head -c 4 /dev/urandom | wc -c; head -c 4 /dev/zero | od -c; echo x >/dev/null; cat /dev/null >/dev/full && echo full"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_L2_replays(name, box, needs):
    case = CASES[name]
    for one in case.needs:
        needs(one)
    if case.setup:
        box.call(["sh", "-c", f"set -e; {case.setup}"])
    profile = box.replays(
        case.command, status=case.status, stdin=case.stdin, ignore=case.ignore, normal=case.normal, allow_messages=case.messages
    )
    assert (profile.tmp == "private") == case.tmp, profile.text
    assert not [p for key in ("create", "write", "delete", "read") for p in profile.list(key) if p.rstrip("/") == "/tmp"], profile.text
