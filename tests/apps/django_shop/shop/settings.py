import os
from pathlib import Path

import django

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(os.environ.get("SHOP_DATA", BASE_DIR))

# The host of a PostgreSQL server; none for SQLite.
SERVER = os.environ.get("SHOP_SERVER")

SECRET_KEY = "only for tests"
DEBUG = True
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]
USE_TZ = True
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "static/"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "honker.contrib.django",
    *(["django_tasks"] if django.VERSION < (6,) else []),
    "orders",
]

MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


def database(name):
    """A SQLite file of that name, or the PostgreSQL database of the environment with that suffix."""
    if not SERVER:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATA_DIR / f"{name}.sqlite3",
            "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20},
        }
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": SERVER,
        "USER": "honker",
        "NAME": f"{os.environ['SHOP_NAME']}_{name}",
        "CONN_MAX_AGE": int(os.environ.get("SHOP_CONN_MAX_AGE", "0")),
        # It checks the password only if the server asks for one.
        "PASSWORD": "s p/a@c:e",
        "OPTIONS": {"sslmode": "prefer"},
    }


DATABASES = {"default": database("shop")}

TASKS = {"default": {"BACKEND": "honker.contrib.django.backend.HonkerBackend", "QUEUES": []}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the tests make many users
