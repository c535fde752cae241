import pytest

from ..support.engines import location
from .faults import Disk
from .zygote import Zygote


@pytest.fixture(scope="module")
def zygote():
    """Fork the children that are killed."""
    zygote = Zygote()
    yield zygote
    zygote.close()


@pytest.fixture
def disk():
    """The disk with faults on request, sound at the beginning and at the end."""
    disk = Disk()
    disk.heal()
    yield disk
    disk.heal()


@pytest.fixture
def path(engine, request):
    """Where the test's database is: the path of a file that does not exist yet, or the URL of an empty database."""
    return location(engine, request)
