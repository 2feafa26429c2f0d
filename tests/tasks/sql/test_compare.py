from hypothesis import given, settings
from hypothesis import strategies as st

from finetune_flows.tasks.sql.compare import cuts, plain_rows, same_rows, says_nothing

CELLS = st.one_of(st.none(), st.integers(-3, 3), st.sampled_from(["", "a", "A", "b"]), st.floats(-3, 3))
ROWS = st.lists(st.tuples(CELLS, CELLS), max_size=8)


@settings(deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_rows_agree_with_themselves_in_any_order(rows: list[tuple[object, ...]], rng: object) -> None:
    mixed = list(rows)
    rng.shuffle(mixed)  # type: ignore[attr-defined]
    assert same_rows(rows, mixed)
    assert same_rows(mixed, rows)
    assert same_rows(rows, rows, list(range(1, len(rows) + 1)))


@settings(deadline=None)
@given(ROWS, ROWS, ROWS)
def test_agreement_is_symmetric_and_transitive(
    a: list[tuple[object, ...]], b: list[tuple[object, ...]], c: list[tuple[object, ...]]
) -> None:
    assert same_rows(a, b) == same_rows(b, a)
    assert not (same_rows(a, b) and same_rows(b, c)) or same_rows(a, c)


@settings(deadline=None)
@given(ROWS.filter(bool))
def test_a_missing_or_repeated_row_is_noticed(rows: list[tuple[object, ...]]) -> None:
    assert not same_rows(rows, rows[1:])
    assert not same_rows(rows, [*rows, rows[0]])


def test_what_counts_as_the_same_value() -> None:
    assert plain_rows([(1.00000001, 0.1 + 0.2)]) == plain_rows([(1, 0.3)])
    assert plain_rows([("1",)]) != plain_rows([(1,)])
    assert plain_rows([("Äb",)]) != plain_rows([("äB",)])


def test_the_last_decimal_of_a_fraction_may_be_rounded_otherwise() -> None:
    assert same_rows([("a", 0.655938), ("b", 0.5)], [("b", 0.5), ("a", 0.655937)])
    assert not same_rows([("a", 0.655938), ("b", 0.5)], [("a", 0.5), ("b", 0.655938)])
    assert not same_rows([(0.65594,)], [(0.65593,)])


def test_columns_keep_their_order() -> None:
    assert not same_rows([(1, 2)], [(2, 1)])


def test_ties_are_where_results_of_one_query_differ() -> None:
    first, second = [("a",), ("b",), ("c",), ("d",)], [("a",), ("c",), ("b",), ("d",)]
    blocks = cuts([first, second])
    assert blocks == [1, 3, 4]
    assert same_rows(first, second, blocks)
    assert not same_rows(first, [("b",), ("a",), ("c",), ("d",)], blocks)


@settings(deadline=None)
@given(ROWS)
def test_a_result_alone_has_no_ties(rows: list[tuple[object, ...]]) -> None:
    assert cuts([rows, rows]) == list(range(1, len(rows) + 1))


def test_a_result_of_nothing_says_nothing() -> None:
    assert says_nothing([])
    assert says_nothing([(None, 0)])
    assert not says_nothing([(0, "x")])


def test_a_null_is_no_fraction() -> None:
    """Both were once left out of the exact part of a row, and the comparison broke."""
    assert not same_rows([(1, None)], [(1, 1.5)])
    assert not same_rows([(1, None), (2, 1.5)], [(1, 1.5), (2, 1.5)])
