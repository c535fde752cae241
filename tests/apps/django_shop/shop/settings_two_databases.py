"""The settings of a shop whose jobs are in a database of their own."""

from shop.settings import *  # noqa: F403
from shop.settings import DATABASES, database

DATABASES["jobs"] = database("jobs")
DATABASE_ROUTERS = ["honker.contrib.django.router.HonkerRouter"]
HONKER = {"DATABASE": "jobs"}
