import pytest

from ..support.engines import location


@pytest.fixture
def path(engine, request):
    """Where the test's database is: the path of a file that does not exist yet, or the URL of an empty database."""
    return location(engine, request)
