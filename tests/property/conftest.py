"""Assertions of the state machines say what they compared, as those of tests do."""

import pytest

pytest.register_assert_rewrite("tests.property.queue_machine")
