"""Pack the extension of each wheel with its C header, for programs that are not written in Python.

    python scripts/pack_extension.py FOLDER

For each wheel in FOLDER it writes ``honker-extension-VERSION-PLATFORM.tar.gz`` there: the library, ``honker.h``,
``reference.yaml`` and the licence. The same wheels give the same bytes.
"""

from __future__ import annotations

import gzip
import io
import re
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WITH_IT = ("include/honker.h", "reference.yaml", "LICENSE")
WHEEL = re.compile(r"honker_db-(?P<version>[^-]+)-py3-none-(?P<platform>.+)\.whl")


def main() -> None:
    """Pack all wheels of the folder."""
    if len(sys.argv) != 2:  # noqa: PLR2004 - the program and the folder
        sys.exit("usage: python scripts/pack_extension.py FOLDER")
    wheels = sorted(Path(sys.argv[1]).glob("*.whl"))
    if not wheels:
        sys.exit(f"{sys.argv[1]} holds no wheels; `make wheel` builds one")
    for wheel in wheels:
        print(pack(wheel))


def pack(wheel: Path) -> Path:
    """Write the archive of one wheel.

    Returns:
        Its path.
    """
    named = WHEEL.fullmatch(wheel.name)
    if named is None:
        sys.exit(f"{wheel} is not a wheel of honker-db for one platform")
    # Of several tags, as in manylinux_2_17_x86_64.manylinux2014_x86_64, the first.
    name = f"honker-extension-{named['version']}-{named['platform'].partition('.')[0]}"
    with zipfile.ZipFile(wheel) as packed:
        (library,) = (each for each in packed.namelist() if each.startswith("honker/_lib/"))
        files = {Path(library).name: packed.read(library)}
    files |= {Path(each).name: (ROOT / each).read_bytes() for each in WITH_IT}
    archive = wheel.parent / f"{name}.tar.gz"
    with (
        archive.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for file, content in sorted(files.items()):
            about = tarfile.TarInfo(f"{name}/{file}")
            about.size, about.mode = len(content), 0o755 if "honker_ext" in file else 0o644
            tar.addfile(about, io.BytesIO(content))
    return archive


if __name__ == "__main__":
    main()
