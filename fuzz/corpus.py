"""The corpus: the inputs that fuzzing found worth keeping, in one archive, ``fuzz/corpus.tar``.

Usage::

    python fuzz/corpus.py list
    python fuzz/corpus.py add TARGET FILE...     # an input that failed once, for instance
    python fuzz/corpus.py remove MEMBER...       # members as `list` prints them
    tar -xf fuzz/corpus.tar -C FOLDER            # to look at them

``tests/replay.rs`` reads the archive in every ``make test``; ``run.py`` unpacks it for the fuzzers. A member is called
``TARGET/SHA1 OF THE INPUT``, as libFuzzer names its files. The same inputs always make the same archive: members are
sorted and carry no times and no owners. It is not compressed, so that git stores a change as a small difference.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import sys
import tarfile
from pathlib import Path
from typing import Final

ARCHIVE: Final = Path(__file__).resolve().parent / "corpus.tar"
TARGETS: Final = ("schedule", "arguments", "sql")


def read(archive: Path = ARCHIVE) -> dict[str, bytes]:
    """Read all inputs, by member name."""
    with tarfile.open(archive, "r:") as tar:
        return {member.name: content.read() for member in tar if (content := tar.extractfile(member))}


def write(inputs: dict[str, bytes], archive: Path = ARCHIVE) -> None:
    """Replace the archive by these inputs."""
    partial = archive.with_suffix(".partial")
    with tarfile.open(partial, "w:", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in sorted(inputs.items()):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    partial.replace(archive)


def name_of(target: str, content: bytes) -> str:
    """Name the member that holds an input of a target."""
    return f"{target}/{hashlib.sha1(content, usedforsecurity=False).hexdigest()}"


def unpack(folder: Path, archive: Path = ARCHIVE) -> None:
    """Write each input to a file of its own, in a folder for each target."""
    for target in TARGETS:
        (folder / target).mkdir(parents=True)
    for name, content in read(archive).items():
        (folder / name).write_bytes(content)


def pack(folder: Path, archive: Path = ARCHIVE) -> None:
    """Make the archive anew from the folders that `unpack` made."""
    contents = [(target, file.read_bytes()) for target in TARGETS for file in (folder / target).iterdir()]
    write({name_of(target, content): content for target, content in contents}, archive)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="print the members")
    adding = commands.add_parser("add", help="add inputs of a target")
    adding.add_argument("target", choices=TARGETS)
    adding.add_argument("files", nargs="+", type=Path)
    commands.add_parser("remove", help="remove members").add_argument("members", nargs="+")
    return parser.parse_args()


def main() -> int:
    """Run one command."""
    asked = parse()
    inputs = read()
    if asked.command == "list":
        print("\n".join(inputs))
        return 0
    if asked.command == "add":
        contents = [file.read_bytes() for file in asked.files]
        inputs |= {name_of(asked.target, content): content for content in contents}
    elif unknown := set(asked.members) - inputs.keys():
        print(f"no such member: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 1
    else:
        inputs = {name: content for name, content in inputs.items() if name not in asked.members}
    write(inputs)
    print(f"{ARCHIVE.name} has {len(inputs)} inputs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
