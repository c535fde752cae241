"""`.ci/run`: install Debian's packages for the languages that this machine lacks, where that is allowed."""

import os
import shutil
import subprocess
import sys

from .binding import all_bindings


def main() -> int:
    """Install the missing packages, with the right to. Returns the exit code of apt-get, 0 if it was not run."""
    packages = {name for each in all_bindings() for need in each.missing() for name in need.packages}
    may_install = shutil.which("apt-get") is not None and os.geteuid() == 0
    if not packages or not may_install:
        return 0
    print(f"==> installing {' '.join(sorted(packages))}", flush=True)
    command = ["apt-get", "install", "--yes", "--no-remove", "--no-install-recommends", *sorted(packages)]
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update"], stdout=subprocess.DEVNULL, env=quiet, check=False)
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=quiet, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
