"""Files that may be packed: gzip and zip are told by what is in them. What is called ``.gz`` and is
neither is damaged."""

import errno
import gzip
import lzma
import struct
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
_MAX_BYTES: Final[int] = 8_000_000_000
"""What a zip may say that it unpacks to: twice a month of the busiest contract's trades."""
_BESIDE: Final[str] = "__MACOSX/"
"""What one system packs beside every file."""

_DAMAGES: Final[tuple[type[Exception], ...]] = (
    EOFError,
    gzip.BadGzipFile,
    lzma.LZMAError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What the decompressors say of bytes that make no sense."""


class PackedError(ValueError):
    """A packed file that cannot be unpacked; the message says why, without its name."""


@contextmanager
def unpacked(path: Path) -> Iterator[BufferedReader]:
    """The bytes of a file, unpacked where they are gzip or a zip with one file in it.

    Raises:
        OSError: it cannot be read.
        PackedError: it is damaged, encrypted, too large, or holds not exactly one file; also while
            reading.
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
        except _DAMAGES as error:
            kind = "zip" if head in (_ZIP, _EMPTY_ZIP) else "gzip"
            raise PackedError(f"damaged {kind} file: {error}") from None
        except OSError as error:
            # bz2 says so without a number; a place before the file's beginning is a zip's
            if head not in (_ZIP, _EMPTY_ZIP) or error.errno not in (None, errno.EINVAL):
                raise
            raise PackedError(f"damaged zip file: {error}") from None


def _only_member(stack: ExitStack, plain: BufferedReader) -> BufferedReader:
    try:
        archive = stack.enter_context(zipfile.ZipFile(plain))
        names = [
            name
            for name in archive.namelist()
            if not name.endswith("/") and not name.startswith(_BESIDE)
        ]
        if len(names) != 1:
            raise PackedError(f"a zip file with {len(names)} files in it; one is needed")
        if archive.getinfo(names[0]).file_size > _MAX_BYTES:
            raise PackedError(f"a zip file that unpacks to more than {_MAX_BYTES:,} bytes")
        return stack.enter_context(BufferedReader(archive.open(names[0])))  # type: ignore[arg-type]
    except RuntimeError as error:  # encrypted, or packed in a way unknown
        raise PackedError(f"a zip file that cannot be read: {error}") from None
    except (OverflowError, UnicodeDecodeError) as error:  # a directory that makes no sense
        raise PackedError(f"damaged zip file: {error}") from None
