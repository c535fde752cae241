"""Loading the extension where it must fail, twice, or from two libraries.

Each test runs in a process of its own, because such a load used to crash it: SQLite unmapped a library whose functions
were still registered, and a second SQLite library replaced the API table of the first.
"""

import importlib.util
import shutil
import sys

import pytest

from ..sql.loading import LIBRARY, ROOT
from ..support.processes import run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the library cannot be copied while it is loaded")

START = f"""
import ctypes, os, sqlite3, sys
sys.path.insert(0, {str(ROOT)!r})
from tests.sql.loading import LIBRARY, SQLITE
ENQUEUE = "SELECT honker_enqueue('q', '1', NULL, NULL, 0, 3, NULL)"

def plain(path=":memory:"):
    conn = sqlite3.connect(path, isolation_level=None)
    conn.enable_load_extension(True)
    return conn

def load_by_sql(conn, library=LIBRARY, entry_point="sqlite3_honkerext_init"):
    return conn.execute("SELECT load_extension(?, ?)", (str(library), entry_point)).fetchall()

def code_of_load(load, *arguments):
    try:
        load(*arguments)
    except sqlite3.Error as error:
        return next(word for word in str(error).split(": ") if word.startswith("HONKER_"))
    return "loaded"

def functions(conn):
    sql = "SELECT count(*) FROM pragma_function_list WHERE name LIKE 'honker%' OR name = 'notify'"
    return conn.execute(sql).fetchone()[0]
"""

NEEDS_LOADING = pytest.mark.skipif(
    not hasattr(__import__("sqlite3").Connection, "enable_load_extension"), reason="this Python cannot load extensions"
)


@NEEDS_LOADING
@pytest.mark.parametrize("name", ["notify", "honker_ack"])
def test_a_name_that_is_taken_fails_the_load_and_leaves_no_function_that_crashes(name):
    lines = run(
        START
        + f"""
conn = plain()
conn.create_function({name!r}, 2, lambda a, b: "mine")
print(code_of_load(load_by_sql, conn))
print(conn.execute("SELECT {name}(1, 2)").fetchone()[0])
if functions(conn) > 1:
    try:
        conn.execute("SELECT honker_enqueue('q', '1', NULL, NULL, 0, 3, NULL)")
    except sqlite3.Error as error:
        print(str(error).partition(":")[0])
else:
    print("no function is left")
conn.load_extension(str(LIBRARY))
conn.execute("SELECT honker_bootstrap()")
print(conn.execute(ENQUEUE).fetchone()[0])
conn.close()
"""
    )
    assert lines[0] == "HONKER_NAME_TAKEN"
    assert lines[1] == "mine"
    assert lines[2] == ("no function is left" if name == "notify" else "HONKER_SQLITE")
    assert lines[3] == "1"


TWICE = """
class C:
    'A connection through the C interface, whose close fails while a statement is left.'
    def __init__(self):
        self.handle = ctypes.c_void_p()
        SQLITE.sqlite3_open(b":memory:", ctypes.byref(self.handle))
        SQLITE.sqlite3_enable_load_extension(self.handle, 1)
    def load(self, library=LIBRARY):
        return SQLITE.sqlite3_load_extension(self.handle, str(library).encode(), b"sqlite3_honkerext_init", None)
    def run(self, sql):
        return SQLITE.sqlite3_exec(self.handle, sql.encode(), None, None, None)
    def close(self):
        return SQLITE.sqlite3_close(self.handle)

conn = C()
print(conn.load(), conn.run("SELECT honker_bootstrap()"), conn.run(ENQUEUE))
print(SECOND)
print(conn.run(ENQUEUE), conn.run("SELECT honker_claim_batch('q', 'w', 2, 60)"), conn.close())
other = C()
print(other.load(), other.run("SELECT honker_bootstrap()"), other.close())
"""


@pytest.mark.parametrize("way", ["c", "sql", "copy by c", "copy by sql"])
def test_a_second_load_leaves_a_connection_that_works_and_closes(tmp_path, way):
    copy = shutil.copy(LIBRARY, tmp_path / f"copy_{LIBRARY.name}")
    library = f"{str(copy if way.startswith('copy') else LIBRARY)!r}"
    if way.endswith("sql"):
        second = f"""conn.run(f"SELECT load_extension('{{{library}}}', 'sqlite3_honkerext_init')")"""
    else:
        second = f"conn.load({library})"
    first, loaded, after, fresh = run(START + TWICE.replace("SECOND", second))
    assert first == "0 0 0"
    assert loaded == ("1" if way == "copy by sql" else "0")
    assert after == "0 0 0"
    assert fresh == "0 0 0"


AUTOMATIC = """
READ_WRITE, CREATE, EXTENDED_CODES = 0x2, 0x4, 0x02000000
others = []

@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
def another(db, message, api):
    others.append(db)
    return 0

SQLITE.sqlite3_auto_extension(ctypes.CDLL(str(LIBRARY))[sys.argv[1]])
SQLITE.sqlite3_auto_extension(another)
handle = ctypes.c_void_p()
flags = READ_WRITE | CREATE | EXTENDED_CODES
print(SQLITE.sqlite3_open_v2(b":memory:", ctypes.byref(handle), flags, None), len(others))
print(SQLITE.sqlite3_exec(handle, b"SELECT honker_bootstrap()", None, None, None), SQLITE.sqlite3_close(handle))
"""


def test_an_automatic_extension_lets_connections_open_and_others_run():
    """rusqlite opens with extended codes, and so does the watcher: it noticed no commits."""
    assert run(START + AUTOMATIC, "sqlite3_honkerauto_init") == ["0 1", "0 0"]
    assert run(START + AUTOMATIC, "sqlite3_honkerext_init")[0] == "256 0"


SECOND_TABLE = """
TABLE_BYTES = 8 * 200  # of function pointers; SQLite 3.38 has more, and no table is longer than the copy's buffer
init = ctypes.CDLL(str(LIBRARY)).sqlite3_honkerext_init
init.argtypes = [ctypes.c_void_p] * 3
kept, codes = [], []

@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
def twice(db, message, api):
    kept.append(ctypes.create_string_buffer(ctypes.string_at(api, TABLE_BYTES), 2 * TABLE_BYTES))
    codes.append(init(db, message, api) & 0xFF)
    text = ctypes.c_char_p()
    codes.append(init(db, ctypes.addressof(text), ctypes.addressof(kept[0])))
    print(text.value.decode().partition(":")[0])
    return 0

SQLITE.sqlite3_auto_extension(twice)
conn = sqlite3.connect(":memory:", isolation_level=None)
SQLITE.sqlite3_cancel_auto_extension(twice)
print(*codes)
conn.execute("SELECT honker_bootstrap()")
print(conn.execute(ENQUEUE).fetchone()[0])
"""


def test_another_api_table_is_refused_and_the_first_goes_on():
    """A copy of the table stands in for that of a second library."""
    assert run(START + SECOND_TABLE) == ["HONKER_TWO_SQLITES", "0 1", "1"]


TWO_LIBRARIES = """
import importlib, honker
module = importlib.import_module(sys.argv[1])
folder = sys.argv[2]
with honker.open(os.path.join(folder, "first.db")) as first:
    first.queue("q").enqueue(1)
    try:
        honker.open(os.path.join(folder, "second.db"), sqlite3=module)
    except honker.TwoSQLitesError as error:
        print("refused", "same SQLite module" in str(error))
    for _ in range(20):
        first.queue("q").enqueue(1)
    print(len(list(first.query("SELECT id FROM _honker_live"))))
"""


@pytest.mark.parametrize("module", ["pysqlite3.dbapi2", "sqlean.dbapi2"])
def test_a_second_sqlite_module_is_refused_and_the_first_goes_on(tmp_path, module):
    if importlib.util.find_spec(module.partition(".")[0]) is None:
        pytest.skip(f"{module} is not installed")
    assert run(START + TWO_LIBRARIES, module, tmp_path) == ["refused True", "21"]
