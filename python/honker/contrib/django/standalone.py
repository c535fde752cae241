"""The database of a Django project for commands of ``honker`` that run outside of ``manage.py``.

DJANGO_SETTINGS_MODULE=shop.settings honker worker honker.contrib.django.standalone:db
"""

# pyright: basic
# Django has no annotations.

import django
from django.apps import apps

if not apps.ready:
    django.setup()

from honker.contrib.django import app

app.become_worker()

#: The database of the project.
db = app.db
