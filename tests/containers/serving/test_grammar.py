"""Answers held to a grammar, over HTTP: a model of random weights would say anything, and says only what it may."""

import asyncio
import re

import httpx
import pytest
import sqlglot
from sqlglot import exp

from finetune_flows.tasks.problems.text_to_sql.grammar import sql_grammar

pytestmark = pytest.mark.anyio
CHOICE = 'start: ("yes" | "no") " " /[0-9]{2,4}/'
CONTEXT = "CREATE TABLE ship (name TEXT, tonnes INTEGER); CREATE TABLE `odd port` (`Größe` REAL, docks INTEGER)"


async def ask(http: httpx.AsyncClient, question: str, grammar: str | None = CHOICE, **more: object) -> httpx.Response:
    held = {"structured_outputs": {"grammar": grammar}} if grammar else {}
    messages = [{"role": "user", "content": question}]
    return await http.post("/v1/chat/completions", json={"messages": messages, "temperature": 0, **held, **more})


def choice(response: httpx.Response) -> tuple[str, str]:
    answer = response.raise_for_status().json()["choices"][0]
    return answer["message"]["content"], answer["finish_reason"]


@pytest.mark.parametrize("sampling", [{"temperature": 0}, {"temperature": 2.0, "seed": 7}, {"repetition_penalty": 1.5}])
async def test_every_answer_fits_and_ends(url, sampling):
    async with httpx.AsyncClient(base_url=url, timeout=60) as http:
        replies = await asyncio.gather(*(ask(http, f"question {n}", **sampling) for n in range(8)))
    for text, finish in map(choice, replies):
        assert re.fullmatch(r"(yes|no) [0-9]{2,4}", text)
        assert finish == "stop"


async def test_those_beside_it_are_not_held(url):
    async with httpx.AsyncClient(base_url=url, timeout=60) as http:
        free = {"grammar": None, "max_tokens": 20}
        alone = [choice(await ask(http, f"question {n}", **free)) for n in range(4)]
        mixed = await asyncio.gather(*(ask(http, f"question {n % 4}", **(free if n < 4 else {})) for n in range(8)))
    assert [choice(reply) for reply in mixed[:4]] == alone
    assert all(re.fullmatch(r"(yes|no) [0-9]{2,4}", choice(reply)[0]) for reply in mixed[4:])


async def test_what_is_no_grammar_is_refused_with_its_reason(url):
    async with httpx.AsyncClient(base_url=url, timeout=60) as http:
        reply = await ask(http, "question", "start: nothing_of_that_name")
        assert reply.status_code == 400
        error = reply.json()["error"]
        assert error["param"] == "structured_outputs.grammar"
        assert "nothing_of_that_name" in error["message"]
        assert choice(await ask(http, "question"))  # and the engine lives


async def test_queries_of_a_schema_parse_and_ask_its_tables(url):
    grammar = sql_grammar(CONTEXT, "sqlite")
    async with httpx.AsyncClient(base_url=url, timeout=120) as http:
        sampling = {"grammar": grammar, "temperature": 1.5, "max_tokens": 120}
        replies = await asyncio.gather(*(ask(http, f"question {n}", seed=n, **sampling) for n in range(24)))
    finished = [text for text, finish in map(choice, replies) if finish == "stop"]
    assert finished
    for text in finished:
        query = sqlglot.parse_one(text, read="sqlite")
        assert isinstance(query, exp.Query), text
        # A grammar cannot tell which names a WITH clause has defined; without one, and functions aside, only the schema's are there.
        tables = [table.this for table in query.find_all(exp.Table)]
        if not query.find(exp.CTE):
            assert {name.name.lower() for name in tables if isinstance(name, exp.Identifier)} <= {"ship", "odd port"}, (
                text
            )
