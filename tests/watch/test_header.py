"""`include/honker.h` compiles, declares exactly the exported functions, and works from a C program as documented."""

import ctypes
import re
import shutil
import subprocess

import pytest

from ..sql.loading import ROOT
from .faces import LIBRARY

HEADER = ROOT / "include" / "honker.h"
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wstrict-prototypes", "-Werror"]

PROGRAM = r"""
#include "honker.h"
#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void run(sqlite3 *db, const char *sql) {
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) printf("%s: %s\n", sql, message);
}

int main(int argc, char **argv) {
    char text[200];
    void *first, *second, *third;
    struct pollfd ready;
    sqlite3 *db;
    if (argc != 3) return 2;
    first = honker_watcher_open(argv[1], NULL, text, sizeof text);
    printf("before loading: %s\n", first ? "a handle" : text);
    sqlite3_open(argv[1], &db);
    sqlite3_enable_load_extension(db, 1);
    printf("load: %d\n", sqlite3_load_extension(db, argv[2], NULL, NULL));
    run(db, "PRAGMA journal_mode = WAL");
    run(db, "CREATE TABLE t (n)");
    printf("unknown: %s\n", honker_watcher_open(argv[1], "bogus", text, 24) ? "a handle" : text);
    first = honker_watcher_open(argv[1], NULL, text, sizeof text);
    second = honker_watcher_open_v2(argv[1], "polling", 5, text, sizeof text);
    third = honker_watcher_open_v3(argv[1], NULL, 0, HONKER_WATCHER_PIPE, text, sizeof text);
    if (!first || !second || !third) return 3;
    printf("nothing: %d %d\n", honker_watcher_wait(first, 0), honker_watcher_wait(second, 1));
    run(db, "INSERT INTO t VALUES (1)");
    ready.fd = honker_watcher_fd(first);
    ready.events = POLLIN;
    printf("readable: %d\n", poll(&ready, 1, 10000));
    printf("commit: %d %d\n", honker_watcher_wait(first, 10000), honker_watcher_wait(second, 10000));
    ready.fd = honker_watcher_fd(third);
    printf("pipe: %d\n", poll(&ready, 1, 10000));
    printf("bytes: %d\n", read(honker_watcher_fd(third), text, 8) == 8);
    printf("flags: %s\n", honker_watcher_open_v3(argv[1], NULL, 0, 2, text, 24) ? "a handle" : text);
    printf("stats: %d\n", honker_watcher_stats(first, text, sizeof text) > 0 && strstr(text, "\"mode\"") != NULL);
    honker_watcher_close(first);
    honker_watcher_close(second);
    honker_watcher_close(third);
    honker_watcher_close(NULL);
    printf("null: %d %d %d\n", honker_watcher_wait(NULL, 0), honker_watcher_fd(NULL),
           (int)honker_watcher_stats(NULL, NULL, 0));
    printf("close: %d\n", sqlite3_close(db));
    return 0;
}
"""

OUTPUT = """\
before loading: load the extension into a connection of this process first
load: 0
unknown: unknown watcher backend
nothing: 0 0
readable: 1
commit: 1 1
pipe: 1
bytes: 1
flags: the flags 2 are unknown
stats: 1
null: -1 -1 0
close: 0
"""


def compiler(*names):
    found = next((path for path in map(shutil.which, names) if path), None)
    return found or pytest.skip(f"needs one of {', '.join(names)}")


@pytest.mark.parametrize("standard", ["c99", "c11", "c17"])
def test_the_header_is_c(tmp_path, standard):
    source = tmp_path / "header.c"
    source.write_text(f'#include "{HEADER}"\n#include "{HEADER}"\nint main(void) {{ return 0; }}\n')
    subprocess.run([compiler("cc", "gcc", "clang"), f"-std={standard}", *WARNINGS, "-fsyntax-only", source], check=True)


@pytest.mark.parametrize("standard", ["c++11", "c++17", "c++20"])
def test_the_header_is_cplusplus(tmp_path, standard):
    source = tmp_path / "header.cpp"
    source.write_text(f'#include "{HEADER}"\nint main() {{ return honker_watcher_wait(nullptr, 0) == 0; }}\n')
    command = [compiler("c++", "g++", "clang++"), f"-std={standard}", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    subprocess.run([*command, "-fsyntax-only", source], check=True)


def test_the_header_names_what_the_library_exports():
    library = ctypes.CDLL(LIBRARY)
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.DOTALL)
    declared = set(re.findall(r"(\w+)\(", text)) - {"defined"}
    assert {"sqlite3_honkerext_init", "honker_watcher_open", "honker_watcher_fd"} <= declared
    for name in declared:
        assert hasattr(library, name)
    if shutil.which("nm"):
        command = ["nm", "-D", "--defined-only", LIBRARY]
        listed = subprocess.run(command, capture_output=True, text=True, check=True)
        exported = {line.split()[-1] for line in listed.stdout.splitlines() if " T " in line}
        assert declared == {name for name in exported if not name.startswith("_")}


def test_a_c_program_watches_a_file(tmp_path, path):
    source, program = tmp_path / "watch.c", tmp_path / "watch"
    source.write_text(PROGRAM)
    probe = tmp_path / "probe.c"
    probe.write_text("#include <sqlite3.h>\nint main(void) { return sqlite3_libversion_number() == 0; }\n")
    cc = compiler("cc", "gcc", "clang")
    if subprocess.run([cc, probe, "-o", tmp_path / "probe", "-lsqlite3"], capture_output=True, check=False).returncode:
        pytest.skip("needs SQLite's header and library")
    subprocess.run(
        [cc, "-std=c11", *WARNINGS, f"-I{HEADER.parent}", source, LIBRARY, "-lsqlite3", "-o", program], check=True
    )
    done = subprocess.run([program, path, LIBRARY], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == OUTPUT, done.stderr
    assert done.returncode == 0
    assert done.stderr == ""
