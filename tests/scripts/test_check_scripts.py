"""check-strata and check-behaviours on small trees of their own: each offence is found, and nothing else. And check itself."""

import importlib.machinery
import importlib.util
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def tree(tmp_path):
    """Returns run(script, {path: text}) -> (status, lines without the summary)."""

    def run(script, files, *arguments):
        (tmp_path / "scripts").mkdir(exist_ok=True)
        shutil.copy(ROOT / "scripts" / script, tmp_path / "scripts")
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        done = subprocess.run([tmp_path / "scripts" / script, *arguments], capture_output=True, text=True)
        return done.returncode, done.stdout.splitlines()[:-1]

    return run


def body(lines):
    return "int f(void)\n{\n" + "\t;\n" * (lines - 3) + "}\n"


HEADERS = {f"src/{s}/x.h": "" for s in ("base", "profile", "kernel", "policy", "observe", "supervise", "cmd")}


@pytest.mark.parametrize(
    "file, text, complaint",
    [
        ("src/base/a.c", '#include "base/x.h"\n#include <stdio.h>\n#include "sandlock.h"\n', None),
        ("src/base/a.c", '#include "cmd/x.h"\n', "src/base/a.c:1: base must not include cmd (cmd/x.h)"),
        ("src/profile/a.c", '\n#include "kernel/x.h"\n', "src/profile/a.c:2: profile must not include kernel (kernel/x.h)"),
        ("src/kernel/a.h", '#include "profile/x.h"\n', "src/kernel/a.h:1: kernel must not include profile (profile/x.h)"),
        ("src/supervise/a.c", '#include "observe/x.h"\n', None),
        ("src/cmd/a.c", '#include "x.h"\n', 'src/cmd/a.c:1: "x.h": not a header below src/, written as stratum/name.h'),
        ("src/cmd/a.c", "#include <base/x.h>\n", "src/cmd/a.c:1: <base/x.h>: a header of the project is included with quotes"),
        ("src/odd/a.c", "", "src/odd/a.c:1: folder src/odd is no stratum of doc/architecture.md"),
        ("src/cmd/a.c", body(100), None),
        ("src/cmd/a.c", "static int x;\n\n" + body(101), "src/cmd/a.c:3: f() has 101 lines, at most 100"),
        ("tests/unit/a.c", "START_TEST(t)\n{\n" + "\n" * 99 + "}\n", "tests/unit/a.c:1: START_TEST() has 102 lines, at most 100"),
        ("src/cmd/a.c", "static const int t[] = {\n" + "1,\n" * 200 + "};\n" + body(9), None),
        ("src/cmd/a.c", "/* int f(void)\n{\n" + "\n" * 200 + "}*/\n" + body(9), None),
        ("src/cmd/a.c", "\n" * 1001, "src/cmd/a.c:1: 1001 lines, at most 1000"),
    ],
)
def test_strata(tree, file, text, complaint):
    status, lines = tree("check-strata", {**HEADERS, file: text})
    assert lines == ([complaint] if complaint else [])
    assert status == (1 if complaint else 0)


DOCUMENT = "doc/behaviours.md"
TEST = {"tests/cli/test_a.py": "def test_L1_x():\n    pass\n", "tests/unit/test-b.c": "START_TEST(R2_y)\n"}


@pytest.mark.parametrize(
    "rows, complaints",
    [
        ("| L1 | p | `test_a.py::test_L1_x` |\n| R2 | q | `test-b.c::R2_y`; not built yet: z |", 0),
        ("| L1 | p | `test_a.py::test_L1_x` |\n| R2 | q | not built yet |", 1),
        ("| L1 | p | `test_a.py::test_gone` |\n| R2 | q | `test-b.c::R2_y` |", 2),
        ("| L1 | p | `test_a.py::test_L1_x` |\n| L1 | p | `test_a.py::test_L1_x` |\n| R2 | q | `test-b.c::R2_y` |", 1),
        ("| L1 | p | `test_a.py::test_L1_x` |\n| R2 | q | by hand |", 2),
        ("| L1 | p | `test_a.py::test_L1_x` |", 1),
    ],
)
def test_behaviours(tree, rows, complaints):
    status, lines = tree("check-behaviours", {**TEST, DOCUMENT: rows + "\n"})
    assert len(lines) == complaints
    assert status == (1 if complaints else 0)


def test_behaviours_write(tree, tmp_path):
    rows = "# x\n\n| L1 | p | not built yet |\n| R2 | q | `test-b.c::gone`; not built yet: z |\n| N3 | r | not built yet: no |\n"
    assert tree("check-behaviours", {**TEST, DOCUMENT: rows}, "--write") == (0, [])
    assert (tmp_path / DOCUMENT).read_text() == (
        "# x\n\n| L1 | p | `test_a.py::test_L1_x` |\n| R2 | q | `test-b.c::R2_y`; not built yet: z |\n| N3 | r | not built yet: no |\n"
    )


def check_module():
    loader = importlib.machinery.SourceFileLoader("check_script", str(ROOT / "scripts" / "check"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.mark.parametrize("body, passed, failed, says", [
    ("marker.exists() or (marker.touch(), False)[1]", 2, 0, "passed alone: sample/test_it.py::test_one"),
    ("False", 1, 1, ""),
])  # fmt: skip
def test_what_failed_beside_the_others_must_pass_alone(tmp_path, monkeypatch, body, passed, failed, says):
    check = check_module()
    monkeypatch.setattr(check, "OUT", tmp_path)
    sample = tmp_path / "sample"
    sample.mkdir()
    (sample / "test_it.py").write_text(
        f"import pathlib\nmarker = pathlib.Path({str(tmp_path / 'marker')!r})\ndef test_one(): assert {body}\ndef test_two(): pass\n"
    )
    step = check.Step("sample", "test", "", None)
    env = dict(check.test_environment("unused"), CHECK_TMP=str(tmp_path))
    if failed:
        with pytest.raises(check.Failed):
            check.pytest(step, tmp_path, env, folder="sample")
    else:
        check.pytest(step, tmp_path, env, folder="sample")
    assert (step.passed, step.failed) == (passed, failed)
    assert says in step.log.read_text()


@pytest.mark.parametrize("body, passed, failed, complaints", [
    ("[ -e $0.marker ] && echo '100%: Checks: 2, Failures: 0, Errors: 0' && exit; touch $0.marker", 5, 0, []),
    (":", 4, 1, ["test-b.c:7:F:case:one:0: no"]),
])  # fmt: skip
def test_a_unit_test_that_failed_beside_the_others_must_pass_alone(tmp_path, monkeypatch, body, passed, failed, complaints):
    check = check_module()
    monkeypatch.setattr(check, "OUT", tmp_path)
    project = tmp_path / "project"
    project.mkdir()
    for name, text in (
        ("meson.build", "project('p')\ntest('a', files('a.sh'))\ntest('b', files('b.sh'))\n"),
        ("a.sh", "#!/bin/sh\necho '100%: Checks: 3, Failures: 0, Errors: 0'\n"),
        ("b.sh", f"#!/bin/sh\n{body}\necho '50%: Checks: 2, Failures: 1, Errors: 0'\necho 'test-b.c:7:F:case:one:0: no'\nexit 1\n"),
    ):
        (project / name).write_text(text)
        (project / name).chmod(0o755)
    step = check.Step("sample", "test", "", None)
    step.call("meson", "setup", project / "build", project)
    if failed:
        with pytest.raises(check.Failed):
            check.unit(step, project / "build")
    else:
        check.unit(step, project / "build")
        assert "failed beside the others and passed alone (exit status 1): b" in step.log.read_text()
    assert (step.passed, step.failed, step.complaints) == (passed, failed, complaints)
