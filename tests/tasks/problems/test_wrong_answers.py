"""The page of wrong answers, read the way a browser would: by a Markdown parser. The texts in it want to break out."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from finetune_flows.tasks.base.markdown import block, code, plain
from finetune_flows.tasks.endpoints.answers import TestRow
from finetune_flows.tasks.problems.text_to_sql.settings import SqlJudging
from finetune_flows.tasks.problems.text_to_sql.verdicts import judge
from finetune_flows.tasks.problems.wrong_answers import WrongAnswer, wrong_answers_page
from finetune_flows.tasks.sql.differences.rows import MOST_CELL_CHARACTERS, MOST_ROWS, literal, telling

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
HOSTILE = (
    "<script>alert(1)</script> | ![x](http://evil.example/x.png) | [y](javascript:alert(1)) ``` \n# heading\n"
    "```\n<img src=x onerror=alert(1)>\n~~~\n\\| a \\\\| b `c` ``d`` &lt; *e* _f_ www.evil.example \u202e\x1b[31m\n\n- item\n| --- |"
)
HARMLESS = {
    "heading", "paragraph", "fence", "inline", "text", "strong", "code_inline", "softbreak",
    "table", "thead", "tbody", "tr", "th", "td", "bullet_list", "list_item",
}  # fmt: skip


def tokens(page: str) -> list[Token]:
    found: list[Token] = []
    for token in PARSER.parse(page):
        found += [token, *(token.children or [])]
    return found


def kinds(page: str) -> set[str]:
    return {token.type.removesuffix("_open").removesuffix("_close") for token in tokens(page)}


def wrong(**fields: Any) -> WrongAnswer:
    found = {
        "id": "1", "question": "Which?", "context": "CREATE TABLE t (a TEXT)", "gold": "SELECT a FROM t", "answer": "x",
        "prediction": "SELECT b FROM t", "kind": "wrong column", "error": None, "differences": [], "telling": None,
    }  # fmt: skip
    return WrongAnswer.model_validate(found | fields)


def test_hostile_texts_stay_texts() -> None:
    difference = {"kind": "wrong column", "gold": HOSTILE, "prediction": HOSTILE}
    told = telling(0, [(HOSTILE, None)], [(1, HOSTILE), (b"<b>", 2)], HOSTILE)
    fields = ("question", "context", "gold", "answer", "prediction", "kind", "error")
    hostile = wrong(**dict.fromkeys(fields, HOSTILE), differences=[difference], telling=told)
    page = wrong_answers_page([hostile, wrong(), hostile], judged=9)
    assert kinds(page) <= HARMLESS
    assert [token.tag for token in tokens(page) if token.type == "heading_open"] == ["h1", "h2", "h2", "h2"]
    assert {len(row) for row in rows_of(page)} == {2}
    assert "\u202e" not in page
    assert "\x1b" not in page


def rows_of(page: str) -> list[list[str]]:
    rows: list[list[str]] = []
    for before, token in zip([None, *(parsed := PARSER.parse(page))], parsed, strict=False):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and before and before.type in ("td_open", "th_open"):
            rows[-1].append(token.content)
    return rows


SIGNS = st.text(alphabet="ab `|\\<>[]()!*_~#-\n&;:$@.\u202e'\"", max_size=30)


@settings(deadline=None)
@given(SIGNS, SIGNS)
def test_two_cells_are_two_cells_whatever_is_in_them(first: str, second: str) -> None:
    parsed = tokens(f"| a | b |\n| --- | --- |\n| {code(first)} | {code(second)} |")
    assert sum(token.type == "td_open" for token in parsed) == 2
    assert {token.type for token in parsed if token.level == 0} == {
        "table_open",
        "table_close",
        "text",
        "code_inline",
    } - (set() if code(first) or code(second) else {"code_inline"})


@settings(deadline=None)
@given(SIGNS)
def test_running_text_is_nothing_but_text(text: str) -> None:
    parsed = tokens(f"**Question** {plain(text)}")
    assert {token.type for token in parsed} <= {
        "paragraph_open",
        "inline",
        "text",
        "strong_open",
        "strong_close",
        "paragraph_close",
    }
    shown = "".join(token.content for token in parsed if token.type == "text")
    assert shown.removeprefix("Question").strip() == " ".join(text.replace("\u202e", "\\u202e").split())


@settings(deadline=None)
@given(st.text(alphabet="a`~\n #<", max_size=60))
def test_a_block_is_one_block(text: str) -> None:
    (fence,) = PARSER.parse(block(text, "sql"))
    assert fence.type == "fence"
    assert fence.content == text + "\n"


def test_rows_of_only_one_result_come_first_and_what_is_long_is_cut() -> None:
    common = [(n,) for n in range(20)]
    found = telling(3, [*common, ("gold",)], [("mine",), *common, ("mine",)])
    assert (found["gold"][0], found["prediction"][:3]) == ("'gold'", ["'mine'", "'mine'", "0"])
    assert (found["gold_rows"], found["prediction_rows"]) == (21, 22)
    assert len(found["gold"]) == len(found["prediction"]) == MOST_ROWS
    assert len(literal("x" * 10_000)) == MOST_CELL_CHARACTERS + 2
    assert len(literal(b"\xff" * 10_000)) <= MOST_CELL_CHARACTERS + 3
    assert [literal(value) for value in (None, 3, 0.5, "it's")] == ["NULL", "3", "0.5", "'it''s'"]


CONTEXT = "CREATE TABLE city (name TEXT, country TEXT, people INTEGER)"
GOLD = "SELECT name FROM city WHERE country = 'peru'"


def test_what_the_page_says_of_real_verdicts() -> None:
    answers = {
        "right": GOLD,
        "literal": "SELECT name FROM city WHERE country = 'chile'",
        "broken": "SELECT nam FROM city",
        "prose": "I do not know.",
        "sometimes": "SELECT name FROM city WHERE country = 'peru' AND (SELECT json_extract(name, '$') FROM city LIMIT 1) = 1",
        "unfit": GOLD,
    }
    golds = dict.fromkeys(answers, GOLD) | {"unfit": "SELECT mayor FROM city"}
    rows = [
        TestRow(id=key, prompt=[], fields={"question": "Which?", "context": CONTEXT, "answer": golds[key]})
        for key in answers
    ]
    judged = judge(rows, answers, "sqlite", SqlJudging(databases=3))
    assert [answer.id for answer in judged.wrong] == ["literal", "broken", "prose", "sometimes"]
    literal_one, broken, prose, _ = judged.wrong
    assert literal_one.telling
    assert literal_one.telling["gold_rows"] > 0
    assert literal_one.differences == [
        {"kind": "wrong literal", "gold": "country = 'peru'", "prediction": "country = 'chile'"}
    ]
    assert (broken.telling, prose.telling) == (None, None)
    page = wrong_answers_page(judged.wrong, judged=5)
    assert page.startswith("# Wrong answers: 4 of 5\n")
    assert "wrong literal: `country = 'chile'` should be `country = 'peru'`" in page
    assert "The answer does not run: `no such column: nam`" in page
    assert kinds(page) <= HARMLESS
    short = wrong_answers_page(judged.wrong, judged=5, most=1)
    assert "This page shows the first 1." in short
    assert "## 2" not in short
    assert wrong_answers_page([], judged=5).endswith("None.\n")
