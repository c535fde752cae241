"""The settings of the shop with Django's pool of connections to PostgreSQL."""

from shop.settings import *  # noqa: F403
from shop.settings import DATABASES

DATABASES["default"]["CONN_MAX_AGE"] = 0
DATABASES["default"]["OPTIONS"]["pool"] = {"min_size": 1, "max_size": 8}
