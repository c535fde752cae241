"""The settings of the shop with a test database in a file, for tests with threads and workers."""

from shop.settings import *  # noqa: F403
from shop.settings import DATA_DIR, DATABASES

DATABASES["default"]["TEST"] = {"NAME": DATA_DIR / "test.sqlite3"}
# No test cuts the power.
DATABASES["default"]["OPTIONS"]["init_command"] = "PRAGMA synchronous = OFF"
