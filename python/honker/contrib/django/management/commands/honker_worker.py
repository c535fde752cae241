"""``manage.py honker_worker``: run the tasks of the project; see ``honker worker``."""

from honker.cli.worker import worker
from honker.contrib.django.management.click_command import ClickCommand


class Command(ClickCommand):
    """Runs the enqueued tasks until SIGINT or SIGTERM."""

    help = "Run the enqueued tasks of this project. Ctrl-C or SIGTERM stops it; running tasks have the grace to end."
    command = worker
