"""Files that may be packed: gzip and zip are told by what is in them. What is called ``.gz`` and is
neither is damaged."""

import gzip
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Final

_GZIP: Final[bytes] = b"\x1f\x8b"
_ZIP: Final[bytes] = b"PK\x03\x04"
_EMPTY_ZIP: Final[bytes] = b"PK\x05\x06"
_BESIDE: Final[str] = "__MACOSX/"
"""What one system packs beside every file."""


class PackedError(ValueError):
    """A packed file that cannot be unpacked; the message says why, without its name."""


@contextmanager
def unpacked(path: Path) -> Iterator[BufferedReader]:
    """The bytes of a file, unpacked where they are gzip or a zip with one file in it.

    Raises:
        OSError: it cannot be read.
        PackedError: it is damaged, encrypted, or holds not exactly one file; also while reading.
    """
    with ExitStack() as stack:
        plain = stack.enter_context(path.open("rb"))
        head = plain.peek(4)[:4]
        try:
            if head in (_ZIP, _EMPTY_ZIP):
                yield _only_member(stack, plain)
            elif head.startswith(_GZIP) or path.suffix == ".gz":
                yield stack.enter_context(BufferedReader(gzip.GzipFile(fileobj=plain)))
            else:
                yield plain
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            kind = "zip" if head == _ZIP else "gzip"
            raise PackedError(f"damaged {kind} file: {error}") from None
        except zipfile.BadZipFile as error:
            raise PackedError(f"damaged zip file: {error}") from None


def _only_member(stack: ExitStack, plain: BufferedReader) -> BufferedReader:
    archive = stack.enter_context(zipfile.ZipFile(plain))
    names = [
        name
        for name in archive.namelist()
        if not name.endswith("/") and not name.startswith(_BESIDE)
    ]
    if len(names) != 1:
        raise PackedError(f"a zip file with {len(names)} files in it; one is needed")
    try:
        return stack.enter_context(BufferedReader(archive.open(names[0])))  # type: ignore[arg-type]
    except (RuntimeError, NotImplementedError) as error:  # encrypted, or packed in a way unknown
        raise PackedError(f"a zip file that cannot be read: {error}") from None
