"""No shipped library contains code that kills the process."""

import pytest

from ..sql import loading
from . import faults

# Names that the failpoints need, and the name of the failing disk.
TRACES = (b"HONKER_FAILPOINT", b"honker_failpoints_passed", b"HONKER_TEST_LOSE_EVENTS", b"honker_faults")


@pytest.mark.parametrize("trace", TRACES[:3])
def test_the_names_are_those_of_the_failpoints(trace):
    assert trace in faults.require(faults.FAILPOINTS).read_bytes()


@pytest.mark.parametrize("trace", TRACES)
def test_the_library_that_is_shipped_has_no_failpoints(trace):
    assert trace not in loading.LIBRARY.read_bytes()


def test_no_build_of_the_extension_has_failpoints_unasked():
    for crate in ("honker-engine", "honker-extension", "honker-watch"):
        manifest = (loading.ROOT / "crates" / crate / "Cargo.toml").read_text()
        assert "failpoints = [" in manifest
        assert "default = " not in manifest
