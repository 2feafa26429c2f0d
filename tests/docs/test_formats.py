"""The page of formats says what happens to rows."""

from pathlib import Path

from tests.docs.formats import CHAT, LABELS, page


def test_the_page_of_formats_says_what_is_read() -> None:
    assert Path("docs/formats.md").read_text(encoding="utf-8") == page()
    assert sum(map(len, CHAT.values())) + sum(map(len, LABELS.values())) > 40
