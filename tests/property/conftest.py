"""Show the compared values of the state machines' assertions, as in tests."""

import pytest

pytest.register_assert_rewrite("tests.property.queue_machine")
