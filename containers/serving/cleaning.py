"""Cleans texts, with the same steps in a data set and in the server of its model. It uses only the standard library."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from html.parser import HTMLParser
from typing import Literal

Step = Literal["unicode", "control_characters", "html", "whitespace", "lower_case", "mask_pii"]

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_PII = (
    (re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[a-zA-Z]{2,24}(?![\w-])"), "[EMAIL]"),
    (re.compile(r"\b(?:https?://|www\.)[^\s<>\"]{1,2000}", re.IGNORECASE), "[URL]"),
    (re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b"), "[IP]"),
    (re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b"), "[IBAN]"),
    (re.compile(r"(?<!\d)(?:\d[ -]?){12,18}\d(?!\d)"), "[CARD]"),
    (re.compile(r"(?<![\w+])(?:\+|00)\d{1,3}[ ()/.-]{0,2}(?:\d[ ()/.-]{0,2}){5,12}\d(?!\w)"), "[PHONE]"),
)
_BLOCKS = {"p", "div", "br", "li", "tr", "td", "th", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "hr"}
_HIDDEN = {"script", "style"}
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,1000}>|&(?:#\d{1,7}|#x[0-9a-fA-F]{1,6}|[a-zA-Z]{2,31});")


class _Shown(HTMLParser):
    """Collects the text that a reader of a page sees."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a block on a new line."""
        self._hidden += tag in _HIDDEN
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        """End a block with a line break."""
        self._hidden -= tag in _HIDDEN and self._hidden > 0
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        """Collect the text between tags."""
        if not self._hidden:
            self.parts.append(data)


def _strip_html(text: str) -> str:
    if not _TAG.search(text):  # "a < b" is not markup
        return text
    parser = _Shown()
    parser.feed(text)
    parser.close()
    return "".join(parser.parts).strip()


def _mask_pii(text: str) -> str:
    for pattern, mask in _PII:
        text = pattern.sub(mask, text)
    return text


_STEPS: dict[Step, Callable[[str], str]] = {
    "unicode": lambda text: unicodedata.normalize("NFKC", text),
    "control_characters": lambda text: _CONTROL.sub("", text),
    "html": _strip_html,
    "whitespace": lambda text: " ".join(text.split()),
    "lower_case": str.lower,
    "mask_pii": _mask_pii,
}


def clean(text: str, steps: Iterable[Step]) -> str:
    """The text after these steps, in this order.

    unicode             normalise to NFKC: one spelling for characters that look the same (ﬁ becomes fi)
    control_characters  remove control characters and invisible characters; keep line ends and tabs
    html                remove tags, scripts and styles, and replace entities by their characters; keep text like `a < b`
    whitespace          replace each run of whitespace by one space
    lower_case          convert to lower case by Unicode's rules, independent of a language
    mask_pii            replace by [EMAIL], [URL], [IP], [IBAN], [CARD] (13 to 19 digits) and [PHONE] (beginning with + or 00)
                        everything of that form. It is not an anonymiser: names, addresses and other numbers stay
    """
    for step in steps:
        text = _STEPS[step](text)
    return text
