import pytest

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
