"""Database paths and ``file:`` URIs: checked, made absolute, and explained when they cannot be opened."""

from __future__ import annotations

import os
import urllib.parse
from pathlib import Path
from typing import cast

from honker.errors import DatabaseOpenError, HonkerError, InvalidArgumentError


def database_path(path: str | os.PathLike[str]) -> str:
    """The path as absolute text.

    Raises:
        InvalidArgumentError: No path, or one that names no file that several connections could share.
    """
    text = cast(object, os.fspath(path))  # bytes are paths too, whatever the annotation says
    if not isinstance(text, str):
        raise InvalidArgumentError(f"path must be str or a path-like object of str, not {type(path).__name__}")
    if not _names_a_file(text):
        raise InvalidArgumentError(f"path is {text!r}; honker needs a database file that several connections can share")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(f"path is {text!r}, which is not UTF-8; SQLite's paths are") from error
    return absolute(text)


def absolute(text: str) -> str:
    """The same file also after the process has changed its directory; unchanged if it is absolute already."""
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
