"""Inspects a landed file before it is parsed: one pass over its bytes, in constant memory."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

CHUNK = 1 << 20  # bytes
HEAD_LINES, HEAD_BYTES = 100, CHUNK  # of the text's start, kept to recognise the format by
MAX_LINE = 64 << 20  # bytes; Spark holds a line in memory, several times: a longer one is not let near it
GZIP = b"\x1f\x8b"

_NO_PLAIN_JSON = re.compile(rb"""\{\s*(?:u?'|u")|[:,\[]\s*-?(?:NaN|Infinity)\b|\n\xef\xbb\xbf""")
_LONGEST_MARK = 64  # bytes


class BrokenFileError(Exception):
    """The bytes are not a whole dump; says what is wrong and where in the file."""


@dataclass
class Inspection:
    """The results of the pass; `problem` is None for a whole file."""

    modified_ns: int = 0  # time of change, and inode, before the first byte was read
    inode: int = 0
    size: int = 0  # bytes on disk
    fingerprint: str = ""  # sha256 of the bytes on disk
    lines: int = 0  # blank ones counted, and a last one without a newline
    head: bytes = b""  # the start of the text
    problem: str | None = None
    zipped: bool = False  # as its first bytes say, whatever its name says
    padding: int = 0  # zero bytes behind the last gzip member, as tapes and block writers leave them
    plain_json: bool = True  # False where a line may be a Python literal, or hold NaN, which Spark's parser refuses
    text_bytes: int = field(default=0, repr=False)
    _open_line: int = field(default=0, repr=False)  # bytes since the last newline
    _last: bytes = field(default=b"", repr=False)  # the end of the text so far

    def add(self, text: bytes) -> None:
        """Count one piece of the text; BrokenFileError at a line beyond MAX_LINE."""
        if len(self.head) < HEAD_BYTES:
            self.head += text[: HEAD_BYTES - len(self.head)]
        self._check_plain_json(text)
        self.lines += text.count(b"\n")
        self.text_bytes += len(text)
        last = text.rfind(b"\n")
        self._open_line = self._open_line + len(text) if last < 0 else len(text) - last - 1
        if self._open_line > MAX_LINE:
            raise BrokenFileError(f"line {self.lines + 1} is longer than {MAX_LINE >> 20} MiB")

    def _check_plain_json(self, text: bytes) -> None:
        """Tell plain JSON by what costs least: nearly every line begins with {", and has no word of Python's in it."""
        text = (self._last or b"\n") + text
        line_starts = text.count(b"\n", 0, -2)  # lines of which the first two bytes are here
        if self.plain_json and (text.count(b'\n{"') < line_starts or b"NaN" in text or b"Infinity" in text):
            self.plain_json = _NO_PLAIN_JSON.search(text) is None
        self._last = text[-_LONGEST_MARK:]

    def head_lines(self) -> list[bytes]:
        """The first lines that are not blank; the last may be cut off."""
        return [line for line in self.head.split(b"\n") if line.strip()][:HEAD_LINES]


def fingerprint(path: Path) -> str:
    """sha256 of the file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def inspect(path: Path) -> Inspection:
    """Fingerprint, count and check one file; a broken one comes back with its `problem`."""
    status = path.stat()
    inspection = Inspection(status.st_mtime_ns, status.st_ino)
    digest = hashlib.sha256()
    chunks = _read_chunks(path, digest, inspection)
    try:
        inspection.zipped = _first_bytes(path) == GZIP
        for text in _decompress(chunks, inspection) if inspection.zipped else chunks:
            inspection.add(text)
    except BrokenFileError as error:
        inspection.problem = str(error)
        for _ in chunks:  # the fingerprint is that of the whole file, whatever its state
            pass
    inspection.lines += 1 if inspection._open_line and not inspection.problem else 0
    inspection.fingerprint = digest.hexdigest()
    return inspection


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(GZIP))


def _read_chunks(path: Path, digest: hashlib._Hash, inspection: Inspection) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            inspection.size += len(chunk)
            yield chunk


def _decompress(chunks: Iterator[bytes], inspection: Inspection) -> Iterator[bytes]:
    """The text of a gzip stream of one or more members, in pieces of at most CHUNK bytes.

    Zeros behind the last member are padding. Raises BrokenFileError where the stream ends early or is not gzip.
    """
    member = None
    for chunk in chunks:
        if member is None:
            chunk = _strip_padding(chunk, inspection)
        has_more = False  # whether zlib still holds text of bytes that it has taken
        while chunk or has_more:
            member = member or zlib.decompressobj(wbits=31)  # 31: gzip, header and checksum checked
            try:
                text = member.decompress(chunk, CHUNK)  # bounded: a bomb inflates a thousandfold
            except zlib.error as error:
                raise BrokenFileError(_where("is not a sound gzip stream", inspection) + f" ({error})") from None
            yield text
            chunk = _strip_padding(member.unused_data, inspection) if member.eof else member.unconsumed_tail
            has_more = len(text) == CHUNK and not member.eof
            member = None if member.eof else member
    if member is not None:
        raise BrokenFileError(_where("its gzip stream ends early", inspection))


def _strip_padding(chunk: bytes, inspection: Inspection) -> bytes:
    """What follows a whole member, less zeros; BrokenFileError where anything follows them."""
    rest = chunk.lstrip(b"\0")
    if rest and (inspection.padding or len(rest) < len(chunk)):
        raise BrokenFileError(_where("zeros and then more bytes follow its gzip stream", inspection))
    inspection.padding += len(chunk) - len(rest)
    return rest


def _where(problem: str, inspection: Inspection) -> str:
    return (
        f"{problem}: after line {inspection.lines:,}, {inspection.text_bytes:,} bytes into the text, "
        f"at or before byte {inspection.size:,} of the file"
    )
