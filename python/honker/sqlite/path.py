"""Checks of database paths and ``file:`` URIs, and explanations of failures to open them."""

from __future__ import annotations

import os
import urllib.parse
from pathlib import Path
from typing import cast

from honker.errors import DatabaseOpenError, HonkerError, InvalidArgumentError


def database_path(path: str | os.PathLike[str]) -> str:
    """The path as absolute text.

    Raises:
        InvalidArgumentError: ``path`` is not a path, or names no file that several connections can share.
    """
    text = cast(object, os.fspath(path))  # a path may be bytes at run time, despite the annotation
    if not isinstance(text, str):
        raise InvalidArgumentError(f"path must be str or a path-like object of str, not {type(path).__name__}")
    if not _names_a_file(text):
        raise InvalidArgumentError(f"path is {text!r}; honker needs a database file that several connections can share")
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


def explain_open(path: str, error: HonkerError) -> HonkerError:
    """Add the reason to SQLite's bare "unable to open database file"."""
    if not isinstance(error, DatabaseOpenError):
        return error
    file = file_of(path)
    if file.is_dir():
        reason = "it is a directory; name a file in it"
    elif not file.parent.exists():
        reason = f"the directory {str(file.parent)!r} does not exist; create it first"
    elif not file.parent.is_dir():
        reason = f"{str(file.parent)!r} is not a directory"
    elif not os.access(file if file.exists() else file.parent, os.R_OK | os.W_OK):
        reason = "this user may not read and write it"
    else:
        reason = str(error)
    explained = DatabaseOpenError(f"unable to open database file {path!r}: {reason}")
    explained.sqlite_code = error.sqlite_code
    return explained


def _names_a_file(text: str) -> bool:
    if not text.startswith("file:"):
        return text not in {"", ":memory:"}
    uri = urllib.parse.urlsplit(text)
    options = urllib.parse.parse_qs(uri.query)
    return uri.path not in {"", ":memory:"} and options.get("mode") != ["memory"] and options.get("vfs") != ["memdb"]
