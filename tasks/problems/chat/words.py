"""Splits texts into words for ROUGE-L, in any script."""

import re

# Written without spaces between words: one character counts as a word.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f"  # Japanese
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese characters
)
_MARKS = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0dff"  # accents and vowel signs
_LETTER = rf"[^\W_{_UNSPACED}]"
_WORD = re.compile(rf"[{_UNSPACED}]|{_LETTER}+(?:[{_MARKS}]+{_LETTER}*)*")


class Words:
    """The tokenizer that rouge-score takes. Its own knows a to z and 0 to 9 only, and finds nothing in other scripts.

    For texts of those characters the words are the same.
    """

    def tokenize(self, text: str) -> list[str]:
        """The words in lower case."""
        return _WORD.findall(text.lower())
