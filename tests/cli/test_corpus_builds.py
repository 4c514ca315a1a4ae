"""L2 for builds and version control: see test_corpus_files.py."""

import re
import subprocess

import pytest

GIT_ENV = {
    "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.org",
    "GIT_AUTHOR_DATE": "2001-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2001-01-01T00:00:00Z", "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_PAGER": "cat",
}  # fmt: skip
GIT_IGNORE = (r"\.git/index$", r"\.git/logs", r"\.pack$", r"\.idx$", r"\.rev$", r"\.git/objects/info/", r"\.bitmap$")


@pytest.fixture
def repository(box, needs, env):
    """repository(NAME): a repository with three commits and a branch, made without the tool. What is put back by
    copying has other inode numbers, which git is told not to look at."""
    needs("git")
    env.update(GIT_ENV)

    def make(name="r"):
        script = f"""set -e; git init -q -b main {name}; cd {name}; mkdir d
            git config core.checkStat minimal; git config core.trustctime false
            for i in 1 2 3; do echo $i >f$i; echo $i >>d/all; git add .; git commit -qm "commit $i"; done
            git branch side HEAD~1; git tag -a -m tag v1"""
        result = box.call(["sh", "-c", script])
        assert result.status == 0, result.describe()
        return box.work / name

    return make


def test_L2_git_init_and_commit(box, needs, env):
    needs("git")
    env.update(GIT_ENV)
    box.file("r/f", "text\n")
    script = "cd r && git init -q -b main && git add . && git commit -qm first && echo more >>f && git commit -qam second && git log --oneline"
    profile = box.replays(["sh", "-c", script], ignore=GIT_IGNORE)
    assert not [p for p in profile.entries() if re.search(r"tmp_obj|\.lock$", p)], profile.text


GIT_CASES = {
    "status": "git status --short; git diff; git log -p --stat | head -20",
    "commit": "echo more >>f1 && git add f1 && git commit -qm more && git show --stat HEAD",
    "gc": "git gc -q && git count-objects && git fsck",
    "repack": "git repack -adq && git prune && git log --oneline",
    "checkout": "git checkout -q side && ls && git checkout -q main && ls",
    "merge": "git checkout -q side && echo x >other && git add other && git commit -qm other && git merge -q main -m merged && git log --oneline --graph",
    "rebase": "git checkout -q side && echo x >other && git add other && git commit -qm other && git rebase -q main && git log --oneline",
    "stash": "echo x >>f1 && git stash -q && cat f1 && git stash pop -q && cat f1",
    "branches": "git branch new && git branch -d new -q && git tag v2 && git tag -d v1 && git reset -q --hard HEAD~1 && git clean -fdq && git reflog | wc -l",
    "grep-blame": "git grep -n 3 && git blame -s d/all && git ls-files && git rev-parse HEAD && git archive HEAD | tar t",
    "am": "git format-patch -q -1 -o ../p && git reset -q --hard HEAD~1 && git am -q ../p/*.patch && git log --oneline",
    "config": "git config user.nick x && git config user.nick && git config --unset user.nick",
    "worktree": "git worktree add -q ../w side && ls ../w && git worktree remove ../w && git worktree prune",
}  # fmt: skip


@pytest.mark.parametrize("name", GIT_CASES)
def test_L2_L17_git(name, box, repository):
    repository("r")
    box.replays(["sh", "-ec", GIT_CASES[name]], cwd=box.work / "r", ignore=GIT_IGNORE)


@pytest.mark.parametrize("options", ["", "--no-hardlinks", "--bare"])
def test_L2_git_clone(options, box, repository):
    repository("r")
    box.replays(["sh", "-ec", f"git clone -q {options} r copy && git -C copy log --oneline"], ignore=GIT_IGNORE)


def test_L2_git_fetch_and_push(box, repository):
    repository("r")
    script = "git clone -q --bare r hub.git && git clone -q hub.git w 2>&1 && cd w && echo x >n && git add n && git commit -qm n && git push -q origin main && git pull -q && git fetch -q --all"
    box.replays(["sh", "-ec", script], ignore=GIT_IGNORE)


MAKEFILE = """CC = gcc
OBJS = main.o a.o b.o
prog: $(OBJS)
	$(CC) -o $@ $(OBJS)
%.o: %.c all.h
	$(CC) -O1 -g -MMD -c -o $@ $<
check: prog
	./prog >out && grep -q 42 out
install: prog
	install -D -m 755 prog $(DESTDIR)/usr/bin/prog
	install -D -m 644 all.h $(DESTDIR)/usr/include/all.h
	ln -sf prog $(DESTDIR)/usr/bin/alias
clean:
	rm -f $(OBJS) prog *.d
.PHONY: check install clean
"""


def c_project(box):
    box.file("Makefile", MAKEFILE)
    box.file("all.h", "int a(void);\nint b(void);\n")
    box.file("a.c", '#include "all.h"\nint a(void) { return 40; }\n')
    box.file("b.c", '#include "all.h"\nint b(void) { return 2; }\n')
    box.file("main.c", '#include <stdio.h>\n#include "all.h"\nint main(void) { printf("%d\\n", a() + b()); return 0; }\n')


def test_L2_L21_make(box):
    c_project(box)
    profile = box.replays(["make", "-j2", "prog"])
    assert profile.tmp == "private"
    # Under the profile of the whole, the same again with everything built, and after a change, works as well.
    assert box.run(profile).status == 0
    box.file("a.c", '#include "all.h"\nint a(void) { return 41; }\n')
    again = box.run(profile)
    assert again.status == 0, again.describe()
    assert box.call(["./prog"]).stdout == "43\n"


def test_L2_make_check_install_clean(box):
    c_project(box)
    box.replays(["make", "-s", "check"])
    box.call(["make", "-s", "prog"])
    box.replays(["make", "-s", "install", f"DESTDIR={box.work}/dest"])
    box.replays(["make", "-s", "clean"])


def test_L2_make_recursive(box):
    box.file("Makefile", "all:\n\t+$(MAKE) -C sub\nshell := $(shell echo x; cat sub/text)\ninclude made.mk\nmade.mk: ; echo X=1 >$@\n")
    box.file("sub/Makefile", "text2: text\n\tcp text text2\n")
    box.file("sub/text", "t\n")
    box.replays(["make", "-s", "-j2"])


def test_L2_L21_gcc(box):
    c_project(box)
    box.replays(["gcc", "-O2", "-flto", "-pipe", "-o", "prog", "main.c", "a.c", "b.c"], ignore=("prog",))
    box.replays(["gcc", "-save-temps", "-static", "-o", "prog", "main.c", "a.c", "b.c"], ignore=("prog",))


def test_L2_g_plus_plus(box):
    box.file("x.cc", "#include <iostream>\n#include <map>\nint main() { std::map<int, int> m{{1, 2}}; std::cout << m[1] << '\\n'; }\n")
    box.replays(["sh", "-c", "g++ -O1 -o x x.cc && ./x"])


def test_L2_archives_and_libraries(box):
    c_project(box)
    script = """gcc -fPIC -c a.c b.c && ar rcs libx.a a.o b.o && ranlib libx.a && nm libx.a >/dev/null && gcc -shared -o libx.so a.o b.o &&
        gcc -o prog main.c -L. -lx -Wl,-rpath,$PWD && ./prog && gcc -static -o st main.c -L. -lx && strip st && ./st && objcopy --only-keep-debug prog
        prog.debug && readelf -d prog | grep -c NEEDED && ar x libx.a && ar d libx.a b.o && LD_LIBRARY_PATH=$PWD ./prog"""
    box.replays(["sh", "-ec", script.replace("\n", " ")])


def test_L2_what_was_built_is_run(box):
    """A program that the run itself made: exec on where it was made, and a script likewise."""
    box.file("p.c", "#include <stdio.h>\nint main(void) { puts(\"built\"); return 0; }\n")
    script = "mkdir -p out/bin && gcc -o out/bin/p p.c && out/bin/p && printf '#!/bin/sh\\necho script\\n' >out/bin/s && chmod +x out/bin/s && out/bin/s"
    box.replays(["sh", "-ec", script])


CONFIGURE_AC = """AC_INIT([small], [1.0])
AM_INIT_AUTOMAKE([foreign])
AC_PROG_CC
AC_PROG_RANLIB
AC_CHECK_HEADERS([unistd.h nowhere.h])
AC_CHECK_FUNCS([mmap nothing_of_this_name])
AC_CONFIG_HEADERS([config.h])
AC_CONFIG_FILES([Makefile])
AC_OUTPUT
"""
MAKEFILE_AM = """bin_PROGRAMS = small
noinst_LIBRARIES = libs.a
libs_a_SOURCES = lib.c
small_SOURCES = main.c
small_LDADD = libs.a
TESTS = check.sh
EXTRA_DIST = check.sh
"""
AUTOTOOLS_IGNORE = (r"config\.log$", r"\.Po$", r"\.trs$", r"\.log$", r"autom4te\.cache", r"work/small$", r"\.a$", r"\.o$")


@pytest.fixture
def autotools(box, needs):
    needs("automake")
    needs("autoconf")
    box.file("configure.ac", CONFIGURE_AC)
    box.file("Makefile.am", MAKEFILE_AM)
    box.file("lib.c", "int lib(void) { return 3; }\n")
    box.file("main.c", "#include <config.h>\n#include <stdio.h>\nint lib(void);\nint main(void) { printf(\"%s %d\\n\", PACKAGE, lib()); return 0; }\n")
    box.file("check.sh", "#!/bin/sh\n./small | grep -q 'small 3'\n", 0o755)
    return box


def test_L2_autotools(autotools):
    done = autotools.call(["autoreconf", "-i"])
    assert done.status == 0, done.describe()
    normal = lambda text: re.sub(r"(?m)^.*(\d\d:\d\d:\d\d|race|sleep).*$", "", text)  # noqa: E731
    autotools.replays(["sh", "-ec", "./configure -q && make -s && make -s check"], ignore=AUTOTOOLS_IGNORE, normal=normal)


def test_L2_autoreconf(autotools):
    autotools.replays(["autoreconf", "-i"], ignore=AUTOTOOLS_IGNORE)


def test_L2_cargo_build(box, needs):
    needs("cargo")
    (box.home / ".cargo").mkdir()  # else it is made at the top of the home: see test_learn_files.py
    box.file("Cargo.toml", '[package]\nname = "small"\nversion = "0.1.0"\nedition = "2021"\n')
    box.file("src/main.rs", 'mod other;\nfn main() { println!("{}", other::x()); }\n')
    box.file("src/other.rs", "pub fn x() -> u8 { 7 }\n")
    ignore = (r"work/target/", r"home/\.cargo/")
    normal = lambda text: re.sub(r"in [\d.]+s", "", text)  # noqa: E731
    box.replays(["cargo", "build", "--offline"], ignore=(*ignore, "!target/debug/incremental/."), normal=normal)
    subprocess.run(["cargo", "build", "--offline", "-q"], check=True, cwd=box.work, env=box.env, stdin=subprocess.DEVNULL)
    box.replays(["cargo", "run", "--offline", "-q"], ignore=(*ignore, "!target/debug/incremental/."))


def test_L2_cargo_new(box, needs):
    needs("cargo")
    (box.home / ".cargo").mkdir()  # else it is made at the top of the home: see test_learn_files.py
    box.replays(["cargo", "new", "--vcs", "none", "-q", "other"], ignore=(r"home/\.cargo/",))
