"""honker in a Django project: jobs in the project's own database, committed with its rows.

Add ``"honker.contrib.django"`` to ``INSTALLED_APPS``, run ``python manage.py migrate``, and write in the file
``tasks.py`` of an app:

    from honker.contrib.django import app

    @app.task(queue="emails")
    def send_confirmation(order_id): ...

``send_confirmation(order.pk)`` in a ``transaction.atomic()`` block enqueues a job that commits or rolls back with the
block. ``python manage.py honker_worker`` runs the tasks, and ``honker_scheduler`` fires the periodic ones.
"""

from honker.contrib.django.application import DjangoApp

#: The app of this project, see `DjangoApp`.
app = DjangoApp()

__all__ = ["DjangoApp", "app"]
