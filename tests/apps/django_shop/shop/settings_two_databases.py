"""The settings of a shop whose jobs are in a file of their own."""

from shop.settings import *  # noqa: F403
from shop.settings import DATA_DIR, DATABASES

DATABASES["jobs"] = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": DATA_DIR / "jobs.sqlite3",
    "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20},
}
DATABASE_ROUTERS = ["honker.contrib.django.router.HonkerRouter"]
HONKER = {"DATABASE": "jobs"}
