"""L8, L11: on the view a command executes what it has made and enters the directories that it has made or moved, as it would
bare. Each script is run bare, then learned on the view from the same start: output and status are the same, and nothing on
the disk has changed."""

import os
import re
import shutil

import pytest

LEARN = ("learn",)


@pytest.fixture
def same(box):
    """same(COMMAND): bare and learned on the view, the same output; the disk as it was. Returns the learned result and the
    text of the profile."""

    def check(command, *options, normal=None, status=0, env=None):
        normal = normal or (lambda text: text)
        if isinstance(command, str):
            command = ["sh", "-c", command]
        box.save()
        bare = box.call(command, env=env)
        assert bare.status == status, bare.describe()
        box.restore()
        before = box.snapshot(exact=True)
        profile = box.new_profile()
        learned = box.tool(*LEARN, "--keep-failed", *options, "-o", profile, "--", *command, env=env)
        assert learned.status == status, learned.describe()
        assert normal(learned.stdout) == normal(bare.stdout), f"{bare.describe()}\n{learned.describe()}"
        assert normal(learned.stderr) == normal(bare.stderr), f"{bare.describe()}\n{learned.describe()}"
        assert box.snapshot(exact=True) == before, learned.describe()
        assert "sandlock-view" not in normal(learned.stdout + learned.stderr), learned.describe()
        return learned, profile.read_text()

    return check


def without_numbers(text):
    return re.sub(r"\b\d+\b", "N", text)


SCRIPT = r"""#!/bin/sh
echo "$0: $# $*"; cat /proc/$$/comm; tr '\0' ' ' </proc/$$/cmdline; echo
readlink /proc/$$/exe; readlink /proc/$$/cwd; pwd; /bin/pwd -P
"""


def test_L11_a_script_that_was_just_made(box, same):
    box.file("make", f"cat >s.sh <<'END'\n{SCRIPT}END\nchmod 755 s.sh\n")
    learned, profile = same('sh ./make; ./s.sh one "two three"; "$PWD/s.sh"; PATH=$PWD:$PATH; s.sh x; cd /; "$OLDPWD/s.sh" far; cd "$OLDPWD/.."; work/s.sh')
    assert learned.stdout.count("s.sh: ") == 5, learned.describe()
    assert f'"{box.work}"' in profile and "s.sh" not in profile.replace("./s.sh one", "").split("[filesystem]")[1], profile


def test_L11_interpreters_of_all_kinds(box, same):
    box.file("make", f"cat >interp <<'END'\n{SCRIPT}END\nchmod 755 interp\n")
    same(
        r"""sh ./make
        put() { printf '%b' "$2" >"$1"; chmod 755 "$1"; }
        put env '#!/usr/bin/env sh\necho env $0 $*\n'; ./env 1 2
        put relative '#!./interp one two \n'; ./relative a b
        put absolute "#!$PWD/interp\n"; ./absolute a
        put deep1 '#!./absolute x\n'; put deep2 '#!./deep1\n'; put deep3 '#! ./deep2 y z\n'; ./deep3 end
        put deep4 '#!./deep3\n'; put deep5 '#!./deep4\n'; ./deep5; echo $?
        put loop '#!./loop\n'; ./loop; echo $?
        put none 'echo no line $0 $1\n'; ./none 1
        put missing '#!/nowhere/at/all\n'; ./missing; echo $?
        put empty ''; ./empty; echo $?
        put directory "#!$PWD\n"; ./directory; echo $?
        put text '#!./none\n'; ./text; echo $?
        put closed '#!/bin/sh\necho never\n'; chmod 644 closed; ./closed; echo $?
        ./nothing; echo $?; ./make; echo $?; ./env/x; echo $?; cd ..; work/env 3"""
    )


PRINT_C = r"""
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	char name[17] = "", exe[4096] = "";
	prctl(PR_GET_NAME, name);
	if (readlink("/proc/self/exe", exe, sizeof(exe) - 1) < 0)
		return 1;
	printf("%d %s|%s|%s|%s\n", argc, argv[0], name, exe, (char *)getauxval(AT_EXECFN));
	return NUMBER;
}
"""


@pytest.mark.parametrize("flags", ["", "-static"])
def test_L11_compile_and_run_in_a_loop(box, same, flags):
    box.file("p.c", PRINT_C)
    same(
        f"""for i in 1 2 3; do gcc {flags} -DNUMBER=$i -o prog p.c && ./prog a; echo $?; "$PWD/prog"; mkdir -p d$i; mv prog d$i/p$i; d$i/p$i b c; done
        ln d1/p1 hard; ./hard; ln -s d2/p2 soft; ./soft; cp d3/p3 copy; ./copy; PATH=$PWD/d1:$PATH; p1; p1 >d1/out; cat d1/out
        exec -a other ./hard""".replace("exec -a other", "bash -c 'exec -a other ./hard'; true #")
    )


def test_L11_configure_like_script_and_parallel_make(box, same, needs):
    needs("make")
    box.file("p.c", PRINT_C)
    box.file(
        "configure",
        """#!/bin/sh
        for have in stdio.h nothing.h unistd.h; do
            printf '#include <%s>\\nint main(void){return 0;}\\n' $have >conftest.c
            if gcc -o conftest conftest.c 2>/dev/null && ./conftest; then echo "have $have"; echo "HAVE += $have" >>config.mk; else echo "no $have"; fi
            rm -f conftest conftest.c
        done
        sed 's/@N@/4/' Makefile.in >Makefile
        """,
        0o755,
    )
    rules = "".join(
        f"gen{i}: p.c\n\tgcc -DNUMBER=0 -o $@ p.c\nout{i}: gen{i}\n\t./gen{i} {i} >$@\n" for i in range(8)
    )
    outs = " ".join(f"out{i}" for i in range(8))
    box.file("Makefile.in", f"include config.mk\nall: {outs}\n\tcat {outs}\n\t@echo $(HAVE) @N@\ncheck: all\n\t./gen1 check\n{rules}")
    same("./configure && make -s -j2 && make -s check && make -s check && touch p.c && make -s -j2 | sort && rm -f gen* && make -s -j2 check")


def test_L11_an_interpreter_that_was_just_built(box, same):
    box.file(
        "i.c",
        '#include <stdio.h>\nint main(int c, char **v) { for (int i = 0; i < c; i++) puts(v[i]); FILE *f = fopen(v[c > 2 ? 2 : 1], "r"); char b[99]; while (f && fgets(b, 99, f)) fputs(b, stdout); return 3; }\n',
    )
    same("mkdir bin; gcc -o bin/i i.c; printf '#!%s/bin/i opt\\nline\\n' \"$PWD\" >s; chmod +x s; ./s; echo $?; mv bin bin2; ./s; echo $?; printf '#!bin2/i\\nx\\n' >t; chmod +x t; ./t; echo $?")


def test_L11_a_loader_that_only_the_view_has(box, same, needs):
    """A C library installed during learn, and a program that asks for its loader."""
    needs("gcc")
    box.file("p.c", PRINT_C)
    same(
        """loader=$(readlink -f /lib64/ld-linux-x86-64.so.2); mkdir -p lib; cp "$loader" lib/my-loader
        gcc -DNUMBER=5 -Wl,--dynamic-linker="$PWD/lib/my-loader" -o p p.c; ./p x; echo $?; ./p y; echo $?; rm lib/my-loader; ./p z; echo $?""",
    )


def test_L8_directories_that_were_made(box, same):
    same(
        r"""set -e; mkdir -p a/b/c; cd a/b/c; pwd; /bin/pwd -P; readlink /proc/self/cwd; touch f; ls; cd ..; pwd; ls; cd c; cd ../../..; pwd
        cd a/b; (cd c; pwd; /bin/pwd); mv ../../a ../../z; /bin/pwd; readlink /proc/self/cwd; ls; cd "$(/bin/pwd)"; pwd; cd ../..; pwd
        mkdir closed; chmod 0 closed; test -w / || ! cd closed; chmod 700 closed; rmdir closed; cd z; mkdir gone; cd gone; rmdir ../gone; readlink /proc/self/cwd | tail -c 11; ls
        ! /bin/pwd; ! touch x; cd -P .. && /bin/pwd || echo no""",
        env={"LC_ALL": "C"},
    )


def test_L8_directories_that_were_moved(box, same):
    box.file("old/sub/f", "text\n")
    box.file("old/run", "#!/bin/sh\npwd; cat sub/f\n", 0o755)
    same(
        r"""set -e; mv old new; cd new; pwd; /bin/pwd -P; ls; ./run; cd sub; /bin/pwd; readlink /proc/self/cwd; cat f; cat ../sub/f
        mv ../../new ../../newer; /bin/pwd; cat f; exec 3<f; readlink /proc/self/fd/3 /proc/self/exe; cat /proc/self/fd/3; cd -P ..; ./run
        echo more >>sub/f; cat sub/f; readlink /proc/self/fd/3; cd ..; pwd; ls; ! cd old; ! cd newer/nothing; ! cd newer/run; cd newer/sub/..; /bin/pwd""",
        env={"LC_ALL": "C"},
    )


def test_L8_pushd_and_cdpath(box, same, needs):
    needs("bash")
    same(
        ["bash", "-c", "mkdir -p x/y w; pushd x; pushd y; dirs; popd; pwd; cd -P y; pwd; popd; CDPATH=x; cd y; pwd -P; cd ~-; pwd; ln -s x/y l; cd l; pwd; pwd -P; cd -P .; pwd; cd ..; pwd; (cd /usr && pwd); pwd"]
    )  # fmt: skip


def test_L8_python_in_new_directories(box, same, needs):
    needs("python3")
    box.file(
        "s.py",
        """import os, subprocess, sys, threading
os.makedirs("a/b"); os.chdir("a"); print(os.getcwd()); os.chdir("b"); print(os.getcwd(), os.path.realpath(".")); open("f", "w").close()
fd = os.open(".", os.O_RDONLY); os.chdir("/"); print(os.getcwd()); os.fchdir(fd); print(os.getcwd(), os.listdir("."), os.listdir(fd))
open("m.py", "w").write("print('module', __file__)\\n"); subprocess.run([sys.executable, "m.py"]); print(os.stat("m.py").st_size)
t = threading.Thread(target=lambda: os.chdir("..")); t.start(); t.join(); print(os.getcwd())
print(subprocess.run(["pwd"], cwd="b", capture_output=True, text=True).stdout, end="")
with open("b/s", "w") as f: f.write("#!/bin/sh\\necho $0 $1\\n")
os.chmod("b/s", 0o755); sys.stdout.flush()
pid = os.posix_spawn("b/s", ["x", "spawned"], os.environ); print(os.waitpid(pid, 0)[1])
fd = os.open("b/s", os.O_RDONLY); os.set_inheritable(fd, True); sys.stdout.flush()
pid = os.fork()
if not pid: os.execve(fd, ["x", "by fd"], os.environ)
print(os.waitpid(pid, 0)[1])
for path in ("nothing", "b", "b/s/x", "b/f"):
    try: os.execv(path, ["x"])
    except OSError as e: print(path, e.strerror)
    try: os.chdir(path)
    except OSError as e: print(path, e.strerror)
sys.stdout.flush(); os.chdir("/"); os.execv(sys.argv[1] + "/a/b/s", ["x", "last"])
""",
    )
    same(["/usr/bin/python3", "-B", "s.py", str(box.work)], normal=lambda text: re.sub(r"/dev/fd/\d+", "/dev/fd/N", text))


def test_L8_git_in_a_new_directory(box, same, needs):
    needs("git")
    same(
        """mkdir repo; cd repo; git init -q -b main .; printf '#!/bin/sh\\necho hook $0; pwd; exit 0\\n' >.git/hooks/pre-commit; chmod +x .git/hooks/pre-commit
        echo 1 >f; mkdir sub; echo 2 >sub/g; git add .; git commit -qm one; cd sub; git status --short; git rev-parse --show-toplevel --show-prefix; git log --format=%s; cd ../..; git clone -q repo other; cd other; git log --format=%s; ls""",
        env={"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@b", "GIT_CONFIG_NOSYSTEM": "1"},
    )  # fmt: skip


def test_L11_daemons_of_their_own_session(box, same):
    box.file("d.sh", "#!/bin/sh\nmkdir dd; cd dd; printf '#!/bin/sh\\npwd; echo daemon' >x; chmod +x x; ./x >out; mv out ../done\n", 0o755)
    same("cp d.sh e.sh; setsid ./e.sh & for i in $(seq 600); do test -s done && break; sleep 0.05; done; cat done; wait")


def test_L11_facts_are_of_what_was_there_before(box, same):
    """What the run made counts on its directory; interpreters and loaders of what it made keep their own names."""
    box.file("keep/p.c", PRINT_C)
    (box.work / "build").mkdir()
    _, profile = same("cd build; gcc -DNUMBER=0 -o p ../keep/p.c; ./p; printf '#!/usr/bin/env python3\\nprint(1)\\n' >s; chmod +x s; ./s")
    rules = profile.split("[filesystem]")[1]
    assert f'exec = [\n' in rules and f'"{box.work}/build"' in rules.split("exec = [")[1].split("]")[0], profile
    python = os.path.realpath(shutil.which("python3", path=box.env["PATH"]))
    assert python in rules and "/usr/bin/env" in rules and "build/p" not in rules, profile
    assert f"{box.work}/keep/p.c" in rules and "sandlock-view" not in profile, profile
    ran = box.run(box.out / "p1.toml", ())
    assert ran.status == 0 and ran.stdout.endswith("1\n"), ran.describe()


def test_L7_rewriting_paths_while_they_are_used_writes_nothing(box):
    """A thread of the command changes the strings of its execve and chdir all the while: whatever is executed or entered
    then, no file of the disk is written."""
    target = box.file("target", "untouched\n", 0o755)
    attack = box.program("attack-view-strings")
    before = box.snapshot(exact=True)
    for _ in range(8):
        result = box.tool(*LEARN, "--keep-failed", "-o", box.new_profile(), "--", attack, str(target), timeout=240)
        assert box.snapshot(exact=True) == before, result.describe()
        if result.status == 0:
            break
        assert result.status in (134, 139), result.describe()  # it overwrote what it needs itself
    assert "rewritten: " in result.stdout, result.describe()


def test_L11_signals_while_things_are_executed_and_entered(box, same):
    """A timer fires all the while: no call is lost, and no signal."""
    box.file(
        "storm.py",
        """import os, signal, sys
count = 0
def on(*_):
    global count
    count += 1
signal.signal(signal.SIGALRM, on); signal.siginterrupt(signal.SIGALRM, False); os.mkdir("d"); top = os.getcwd()
with open("d/s", "w") as f: f.write("#!/bin/sh\\nexit 7\\n")
os.chmod("d/s", 0o755); signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002); n = 0
while n < 60 or not count:
    os.chdir(top + "/d"); assert os.getcwd() == top + "/d"
    pid = os.posix_spawn("./s", ["s"], {})
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    os.chdir(".."); assert os.getcwd() == top; n += 1
signal.setitimer(signal.ITIMER_REAL, 0); print("fine")
""",
    )
    same(["/usr/bin/python3", "-B", "storm.py"])


NO_PTRACE = """
import ctypes, os, platform, struct, sys
number = {"x86_64": 101, "aarch64": 117}[platform.machine()]
program = b"".join(struct.pack("HBBI", *i) for i in ((0x20, 0, 0, 0), (0x15, 0, 1, number), (6, 0, 0, 0x50001), (6, 0, 0, 0x7FFF0000)))
libc = ctypes.CDLL(None, use_errno=True)
buffer = ctypes.create_string_buffer(program)
libc.prctl(38, 1, 0, 0, 0)
assert libc.prctl(22, 2, ctypes.c_char_p(struct.pack("HxxxxxxP", 4, ctypes.addressof(buffer)))) == 0, ctypes.get_errno()
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_L11_without_ptrace_it_is_refused_and_said(box):
    """Where the tool may not trace, as in some containers: an error for the command, a warning, a partial profile."""
    script = "cp /bin/true t; ./t; echo $?; mkdir d; cd d || echo no; echo >f; cat f; cp -r d e; echo $?"
    profile = box.new_profile()
    command = ["/usr/bin/python3", "-c", NO_PTRACE, box.sandlock, *LEARN, "--keep-failed", "-o", profile, "--", "sh", "-c", script]
    result = box.call(command)
    assert result.stdout == "126\nno\n\n0\n", result.describe()
    assert any("ptrace is forbidden" in m for m in result.messages), result.describe()
    assert "\n# partial" in profile.read_text(), profile.read_text()


NOEXEC = """
mount -t tmpfs -o noexec none place || exit 77
cp /bin/true place/old
cat >script <<'END'
place/old; echo old $?
cp /bin/true place/new; place/new; echo new $?
test -x place/new; echo test $?
chmod 711 place/old; place/old; echo changed $?
cp place/new made; ./made; echo made $?
END
sh script; rm made; echo ---; rm place/new; exec "$@" sh script
"""


def test_L11_nothing_is_executed_on_a_mount_that_forbids_it(box):
    """Neither what lies there nor what the command makes or changes there, though the upper is elsewhere."""
    (box.work / "place").mkdir()
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]
    learn = [box.sandlock, *LEARN, "-o", box.new_profile(), "--"]
    result = box.call([*unshare, "sh", "-c", NOEXEC, "sh", *learn])
    if "unshare: " in result.stderr:
        pytest.skip(f"no mount can be made here: {result.stderr.strip()}")
    bare, learned = result.stdout.split("---\n")
    assert bare == "old 126\nnew 126\ntest 1\nchanged 126\nmade 0\n", result.describe()
    assert learned == bare, result.describe()
