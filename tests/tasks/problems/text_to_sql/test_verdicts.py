from finetune_flows.tasks.endpoints.answers import Answer, TestRow
from finetune_flows.tasks.evaluation.scores import About, compare, summarise
from finetune_flows.tasks.problems.text_to_sql.problem import TextToSql
from finetune_flows.tasks.problems.text_to_sql.settings import SqlJudging
from finetune_flows.tasks.problems.text_to_sql.verdicts import judge
from finetune_flows.tasks.problems.verdict import Verdict
from finetune_flows.tasks.sql.query_features import SeenTables

PROBLEM = TextToSql(judging=SqlJudging(databases=3))
SETTINGS = (PROBLEM.dialect, PROBLEM.judging)
CONTEXT = "CREATE TABLE city (name TEXT, country TEXT, people INTEGER)"
GOLD = "SELECT name FROM city WHERE country = 'peru'"
ANSWERS = {
    "exact": GOLD,
    "spaces": f"\n{GOLD} ",
    "semicolon": f"{GOLD};",
    "fenced": f"Here you are:\n```sql\n{GOLD};\n```\nIt lists the cities.",
    "reworded": "SELECT c.name FROM city c WHERE 'peru' = c.country",
    "case": "SELECT name FROM city WHERE country = 'Peru'",
    "wrong": "SELECT name FROM city WHERE country = 'chile'",
    "broken": "SELECT nam FROM city",
    "prose": "I cannot answer that.",
    "hostile": "DROP TABLE city",
    "empty": "",
}


def row(key: str, answer: str = GOLD, slice: str | None = None) -> TestRow:
    return TestRow(id=key, prompt=[], fields={"question": "?", "context": CONTEXT, "answer": answer}, slice=slice)


def judged(rows: list[TestRow], answers: dict[str, str]) -> dict[str, Verdict]:
    return {verdict.id: verdict for verdict in judge(rows, answers, *SETTINGS).verdicts}


def test_each_metric_sees_what_it_should() -> None:
    verdicts = judged([row(key) for key in ANSWERS], ANSWERS)
    right = {
        metric: {key for key, verdict in verdicts.items() if verdict.outcomes[metric]}
        for metric in verdicts["exact"].outcomes
    }
    same_text = {"exact", "spaces", "semicolon", "fenced"}
    assert right["exact_match"] == {"exact", "spaces"}
    assert right["exact_match_extracted"] == same_text
    assert right["ast_match"] == same_text | {"reworded"}
    assert right["execution"] == same_text | {"reworded"}
    assert right["execution_as_given"] == {"exact", "spaces", "semicolon", "reworded"}
    assert right["execution_caseless"] == same_text | {"reworded", "case"}
    assert right["valid_sql"] == same_text | {"reworded", "case", "wrong"}


def test_a_verdict_says_how_an_answer_is_wrong_and_survives_json() -> None:
    verdicts = judged([row(key) for key in ANSWERS], ANSWERS)
    kinds = {key: verdict.kind for key, verdict in verdicts.items()}
    assert kinds["reworded"] == "right"
    assert kinds["case"] == "right but for case"
    assert kinds["wrong"] == "wrong literal"
    assert kinds["broken"] == "unknown column"
    assert kinds["prose"] == kinds["hostile"] == "no query"
    assert kinds["empty"] == "no answer"
    assert verdicts["broken"].differences == ["wrong column", "missing condition"]
    assert verdicts["reworded"].differences == []
    assert "nam" in (verdicts["broken"].error or "")
    assert verdicts["fenced"].extracted == GOLD
    assert Verdict.model_validate_json(verdicts["broken"].model_dump_json()) == verdicts["broken"]


def test_a_row_without_an_answer_is_wrong_and_progress_is_told() -> None:
    told: list[int] = []
    verdicts = judge([row("a"), row("b")], {"a": GOLD}, *SETTINGS, on_progress=told.append).verdicts
    assert [verdict.outcomes["execution"] for verdict in verdicts] == [True, False]
    assert told == [1, 2]


def test_rows_that_cannot_be_judged_are_counted_apart() -> None:
    rows = [row("good"), row("fails", "SELECT mayor FROM city"), row("empty", "SELECT name FROM city WHERE 1 = 0")]
    judged = judge(rows, {r.id: r.fields["answer"] for r in rows}, *SETTINGS)
    verdicts = judged.verdicts
    assert judged.wrong == []
    assert [verdict.evaluable for verdict in verdicts] == [True, False, False]
    assert [verdict.kind for verdict in verdicts[1:]] == ["not evaluable: gold fails", "not evaluable: gold empty"]
    scores = summarise(judged, [], About("d", "m"))
    assert (scores.n, scores.not_evaluable) == (3, 2)
    assert (scores.metrics["execution"].successes, scores.metrics["execution"].n) == (1, 1)
    assert scores.metrics["exact_match"].n == 3


def test_scores_add_up_by_slice_with_latency_rate_and_settings() -> None:
    rows = [row("a", slice="small"), row("b", slice="small"), row("c", slice="large"), row("d")]
    answers = [
        Answer(id="a", text=GOLD, asked_at=0, latency_seconds=2, prompt_tokens=50, completion_tokens=10),
        Answer(id="b", text="SELECT 1", asked_at=1, latency_seconds=2, prompt_tokens=50, completion_tokens=4),
        Answer(id="c", text=GOLD, asked_at=100_000, latency_seconds=1, prompt_tokens=50, completion_tokens=10),
        Answer(id="d", asked_at=100_000, latency_seconds=600, error="no answer within 600 s"),
    ]
    texts = {answer.id: answer.text for answer in answers}
    judged = judge(rows, texts, *SETTINGS, SeenTables([CONTEXT.upper()]))
    about = About("data", "model", max_new_tokens=99, judge=PROBLEM.judge_settings())
    scores = summarise(judged, answers, about)
    assert scores.metrics["execution"].value == 0.5  # a request that failed counts as wrong
    assert scores.slices["slice"]["small"]["execution"].value == 0.5
    assert scores.slices["slice"]["large"]["execution"].value == 1.0
    assert set(scores.slices["slice"]) == {"small", "large"}
    parts = {
        division: {part: m["execution"].n for part, m in found.items()} for division, found in scores.slices.items()
    }
    assert parts["schema"] == {"all tables seen": 4}
    assert (parts["tables"], parts["nesting"], parts["question"]) == ({"1": 4}, {"flat": 4}, {"up to 10 words": 4})
    assert scores.errors == 1
    assert scores.kinds == {"right": 2, "missing table": 1, "no answer": 1}
    assert (scores.judge["databases"], scores.judge["keep_distinct"]) == (3, True)
    assert scores.latency
    assert (scores.latency.p50, scores.latency.mean) == (2, 5 / 3)
    assert scores.requests_per_second == 3 / 4  # a day passed between two runs; only 4 s of it were work
    assert (scores.prompt_tokens, scores.completion_tokens) == (150, 24)
    assert (scores.decoding.temperature, scores.decoding.max_new_tokens) == (0.0, 99)
    assert (scores.dataset_digest, scores.model_digest) == ("data", "model")
    assert type(scores).model_validate_json(scores.model_dump_json()) == scores


def test_two_models_are_compared_on_the_rows_that_both_were_judged_on() -> None:
    def verdict(key: str, outcome: bool | None) -> Verdict:
        return Verdict(id=key, outcomes={"execution": outcome}, kind="")

    first = [verdict("a", True), verdict("b", False), verdict("c", False), verdict("d", None), verdict("only", True)]
    second = [verdict("c", True), verdict("b", True), verdict("a", True), verdict("d", True)]
    found = compare("execution", first, second)
    assert (found.n, found.both, found.only_second, found.only_first, found.neither) == (3, 1, 2, 0, 0)
    assert found.difference > 0
    assert compare("unheard_of", first, second).n == 0
