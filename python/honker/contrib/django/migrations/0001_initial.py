"""Make honker's tables in the database for jobs, and declare the model that shows them.

The reverse keeps the tables: they hold jobs, and other processes may use them. Migrating again finds them as they are.
"""

# pyright: basic
# Django has no annotations.

from typing import Any, ClassVar

from django.db import migrations, models

from honker.contrib.django.schema import bootstrap
from honker.contrib.django.vendor import jobs_table


def _bootstrap(apps: Any, schema_editor: Any) -> None:
    bootstrap(schema_editor.connection.alias)


class Migration(migrations.Migration):  # noqa: D101 - Django's name
    initial = True

    operations: ClassVar = [
        migrations.RunPython(_bootstrap, migrations.RunPython.noop),
        migrations.CreateModel(
            name="Job",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("queue", models.TextField()),
                ("payload", models.TextField()),
                (
                    "state",
                    models.TextField(
                        choices=[
                            ("pending", "Pending"),
                            ("blocked", "Blocked"),
                            ("waiting", "Waiting"),
                            ("processing", "Processing"),
                            ("dead", "Dead"),
                        ]
                    ),
                ),
                ("priority", models.IntegerField()),
                ("run_at", models.FloatField()),
                ("worker_id", models.TextField(null=True)),
                ("claim_expires_at", models.FloatField(null=True)),
                ("attempts", models.IntegerField()),
                ("max_attempts", models.IntegerField()),
                ("last_error", models.TextField(null=True)),
                ("created_at", models.FloatField()),
            ],
            options={
                "db_table": jobs_table(),
                "ordering": ("-id",),
                "permissions": (("requeue_job", "Can requeue dead jobs"), ("cancel_job", "Can cancel jobs")),
                "managed": False,
                "default_permissions": ("view",),
            },
        ),
    ]
