"""Checks of database paths and ``file:`` URIs."""

from __future__ import annotations

import os
import urllib.parse
from pathlib import Path
from typing import Final, cast

from honker.errors import InvalidArgumentError

# Of a URI. Each loses commits or hides them as soon as a second connection is there, and honker has several.
_UNSAFE_OPTIONS: Final = {
    "nolock": "nolock=1 takes no locks, so connections overwrite each other",
    "immutable": "immutable=1 reads no -wal, so commits of other connections are not seen",
    "cache": "cache=shared makes connections lock tables against each other without a wait",
}
_UNSAFE_VFS: Final = ("-none", "-dotfile", "-excl")
_OFF: Final = frozenset({"0", "no", "off", "false", "private"})


def database_path(path: str | os.PathLike[str]) -> str:
    """The path as absolute text.

    Raises:
        InvalidArgumentError: ``path`` is not a path, names no file that several connections can share, or is a URI
            with an option under which commits are lost.
    """
    text = cast(object, os.fspath(path))  # a path may be bytes at run time, despite the annotation
    if not isinstance(text, str):
        raise InvalidArgumentError(f"path must be str or a path-like object of str, not {type(path).__name__}")
    if not _names_a_file(text):
        raise InvalidArgumentError(f"path is {text!r}; honker needs a database file that several connections can share")
    unsafe = _unsafe_option(text)
    if unsafe is not None:
        raise InvalidArgumentError(f"path is {text!r}, and {unsafe}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(f"path is {text!r}, which is not UTF-8; SQLite requires UTF-8 paths") from error
    return absolute(text)


def absolute(text: str) -> str:
    """The absolute form of a path or ``file:`` URI, which stays valid if the process changes its directory."""
    if not text.startswith("file:"):
        return os.path.abspath(text)
    uri = urllib.parse.urlsplit(text)
    if uri.netloc or uri.path.startswith("/"):
        return text
    path = urllib.parse.quote(os.path.abspath(urllib.parse.unquote(uri.path)))
    return f"file:{path}?{uri.query}" if uri.query else f"file:{path}"


def file_of(path: str) -> Path:
    """The file that a path or a ``file:`` URI names."""
    named = urllib.parse.unquote(urllib.parse.urlsplit(path).path) if path.startswith("file:") else path
    return Path(named).absolute()


def existing_only(path: str) -> str:
    """A URI that opens the same file and never creates it."""
    if not path.startswith("file:"):
        return f"{Path(path).as_uri()}?mode=rw"
    uri = urllib.parse.urlsplit(path)
    options = [each for each in uri.query.split("&") if each and each != "mode=rwc"]
    if not any(each.startswith("mode=") for each in options):
        options.append("mode=rw")
    return urllib.parse.urlunsplit(("file", uri.netloc, uri.path, "&".join(options), ""))


def is_writable(path: str) -> bool:
    """True if the file may be written, as far as its permissions and the URI go."""
    return uri_option(path, "mode") != "ro" and os.access(file_of(path), os.W_OK)


def uri_option(path: str, name: str) -> str | None:
    """The value of an option of a ``file:`` URI; None if it is not given or the path is no URI."""
    if not path.startswith("file:"):
        return None
    values = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query).get(name)
    return values[-1] if values else None


def _unsafe_option(text: str) -> str | None:
    """The reason why a URI's options are refused; None if they are not."""
    if not text.startswith("file:"):
        return None
    options = urllib.parse.parse_qs(urllib.parse.urlsplit(text).query)
    for option, values in options.items():
        value = values[-1].lower()
        if option == "vfs" and value.endswith(_UNSAFE_VFS):
            return f"the VFS {value!r} has no locks that connections of all processes see; leave vfs= out"
        if option in _UNSAFE_OPTIONS and value not in _OFF:
            return f"{_UNSAFE_OPTIONS[option]}; leave {option}= out"
    return None


def _names_a_file(text: str) -> bool:
    if not text.startswith("file:"):
        return text not in {"", ":memory:"}
    uri = urllib.parse.urlsplit(text)
    options = urllib.parse.parse_qs(uri.query)
    return uri.path not in {"", ":memory:"} and options.get("mode") != ["memory"] and options.get("vfs") != ["memdb"]
