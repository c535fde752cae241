"""Where the figures were measured: without that they say nothing."""

import contextlib
import hashlib
import os
import platform
import sqlite3
from importlib import metadata
from pathlib import Path

import honker


def describe():
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "honker": metadata.version("honker"),
        "build": build(),
    }


def processor():
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def build():
    """Names the code that is measured: the extension and the package."""
    library, _ = honker.extension_info()
    sources = sorted(Path(honker.__file__).parent.glob("*.py"))
    digest = hashlib.sha256()
    for file in (Path(library), *sources):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def load():
    return [round(each, 2) for each in os.getloadavg()]
