"""Detection of a text's language (py3langid: naive Bayes over byte n-grams, 138 languages)."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from finetune_flows.tasks.base.errors import RecipeError
from finetune_flows.tasks.problems.example import Reason

_LEAST_LETTERS = 20  # shorter texts are kept; in bytes of UTF-8, so seven Chinese characters are enough to decide
_UNLIKELY = 0.1  # a text goes only if all wanted languages together are less probable: a doubtful text stays


def check_languages(wanted: Sequence[str]) -> None:
    """Raises RecipeError for an unknown language code, with a list of all known codes."""
    unknown = sorted(set(wanted) - set(_identifier().labels)) if wanted else []
    if unknown:
        known = ", ".join(sorted(_identifier().labels))
        raise RecipeError("dataset", [f"dataset.languages: unknown code {', '.join(unknown)}; known codes are {known}"])


def in_another_language(text: str, wanted: Sequence[str], column: str) -> Reason | None:
    """Why a text is left out; None if one of the wanted languages is at all likely."""
    if len("".join(filter(str.isalpha, text)).encode(errors="surrogatepass")) < _LEAST_LETTERS:
        return None
    # The detector has seen few texts in Title Case Or CAPITALS, and takes English ones for other languages.
    for spelling in dict.fromkeys((text, text.lower())):
        likely = _identifier().rank(spelling)
        if sum(share for language, share in likely if language in wanted) >= _UNLIKELY:
            return None
    language, share = likely[0]
    words = f"{column} is {language} with probability {share:.0%}; dataset.languages is {', '.join(wanted)}"
    return Reason("another language", words)


@cache
def _identifier() -> Any:
    """The detector. It takes half a second to load, once in each process that checks rows."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
