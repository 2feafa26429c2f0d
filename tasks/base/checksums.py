"""Lines of JSON that carry a checksum: a line that was changed on disk is recognised when it is read back."""

import re
import zlib

_CHECKED = re.compile(r'(.*),"checksum":"([0-9a-f]{8})"\}', re.DOTALL)


def with_checksum(line: str) -> str:
    """A line with a JSON object, with its checksum (CRC-32, hex) as the last field."""
    return f'{line[:-1]},"checksum":"{_checksum(line)}"}}'


def without_checksum(line: str) -> str | None:
    """The line that `with_checksum` got; None if it was changed since.

    A line that has no checksum, as earlier versions wrote it, is returned as it is.
    """
    found = _CHECKED.fullmatch(line)
    if found is None:
        return line
    content = found[1] + "}"
    return content if _checksum(content) == found[2] else None


def _checksum(line: str) -> str:
    return f"{zlib.crc32(line.encode()):08x}"
