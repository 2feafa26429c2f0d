"""Gold and prediction on one made-up database after the other, until enough of them have told something."""

from collections.abc import Callable
from typing import Literal

from sqlglot import exp

from finetune_flows.tasks.sql.compare import Row, Rules, cuts, plain_rows, same_rows, says_nothing
from finetune_flows.tasks.sql.differences.rows import Telling, telling
from finetune_flows.tasks.sql.engines.contract import NotTranslatable, QueryFailed, Session
from finetune_flows.tasks.sql.generator.databases import Database, storage_orders
from finetune_flows.tasks.sql.query import Query, is_ordered
from finetune_flows.tasks.sql.row_order import witness

MOST_TRIES = 4
PREDICTED_ORDERS = 2
_BLIND_TO_ORDER = (exp.Count, exp.Sum, exp.Avg, exp.Min, exp.Max)
_SEES_ORDER = (exp.Limit, exp.Offset, exp.Fetch, exp.Window, exp.Anonymous, exp.AnonymousAggFunc, exp.Rand, exp.Command)
_HAS_BARE_COLUMNS = {"sqlite", "mysql"}


class Trial:
    """`error`: why the prediction does not run. `agree`: whether it gave the gold's rows so far; `told`: on how many databases.

    Every database is stored in several row orders, unless neither query can see them. Where the gold's rows differ
    between orders, its answer is an accident (LIMIT among ties, a bare column beside GROUP BY) and the database tells
    nothing; nor does one on which the gold is empty. Others are tried instead. Rows that only change places tie: the
    prediction may have them in any order.
    """

    def __init__(self, session: Session, gold: Query, prediction: Query, rules: Rules) -> None:
        self.session, self.gold, self.prediction, self.rules = session, gold, prediction, rules
        self.error: str | None = None
        self.ordered = is_ordered(gold.tree)
        self.witness = witness(gold.tree, lambda tree: Query.of(tree, gold.dialect))
        self.orders = _orders(gold, prediction, self.ordered and self.witness is None)
        self.agree = True
        self.spoke, self.told = False, 0
        self.telling: Telling | None = None

    @property
    def obstacle(self) -> Literal["gold_arbitrary", "gold_empty"] | None:
        """Why the databases did not decide, if so."""
        if self.told:
            return None
        return "gold_arbitrary" if self.spoke else "gold_empty"

    def run(self, database: Callable[[int], Database], most: int, wanted: int) -> None:
        """Tries `most` databases, until `wanted` have told. Raises QueryFailed when the gold fails."""
        for seed in range(most):
            self._run_on(seed, database(seed))
            if self.told == wanted or (self.told and not self.agree):
                return

    def _run_on(self, seed: int, database: Database) -> None:
        golds: list[list[Row]] = []
        predictions: list[list[Row] | str] = []
        seen: list[Row] | None = None
        for number, order in enumerate(storage_orders(database, self.orders)[: self.orders]):
            self.session.load(order, turned=number == 1)
            if self.agree and number < PREDICTED_ORDERS:
                predictions.append(self._predicted())
                if seed == number == 0 and isinstance(predictions[0], str):
                    self.agree, self.error = False, predictions[0]
            golds.append(self._gold_rows(predictions[number:]))
            if self.witness and seen is None:
                seen = self._witnessed()
        gold = golds[0]
        speaks = not says_nothing(gold)
        self.spoke = self.spoke or speaks
        if any(not same_rows(gold, other, rules=self.rules) for other in golds):
            return
        blocks = self._blocks(golds, seen)
        if blocks is None:
            return
        self.told += speaks
        for rows in predictions:
            if self.agree:
                self.agree = self._agrees(seed, gold, rows, blocks)

    def _gold_rows(self, predicted: list[list[Row] | str]) -> list[Row]:
        """One query twice is run once. Raises QueryFailed."""
        if self.gold == self.prediction and predicted and not isinstance(predicted[0], str):
            return predicted[0]
        return plain_rows(self.session.run(self.gold))

    def _predicted(self) -> list[Row] | str:
        """The prediction's rows, or why there are none on this database."""
        try:
            return plain_rows(self.session.run(self.prediction))
        except NotTranslatable:
            raise
        except QueryFailed as problem:
            return str(problem)

    def _witnessed(self) -> list[Row] | None:
        assert self.witness
        try:
            return plain_rows(self.session.run(self.witness.query))
        except QueryFailed:  # sqlglot wrote what the engine does not take
            return None

    def _blocks(self, golds: list[list[Row]], seen: list[Row] | None) -> list[int] | None:
        """Where each run of rows ends that may come in any order; None when the gold's LIMIT cuts through ties."""
        blocks = self.witness.blocks(seen) if self.witness and seen is not None else cuts(golds)
        return [len(golds[0])] if blocks is not None and not self.ordered else blocks

    def _agrees(self, seed: int, gold: list[Row], rows: list[Row] | str, blocks: list[int]) -> bool:
        if isinstance(rows, str):
            self.telling = telling(seed, gold, [], rows)
            return False
        if not same_rows(gold, rows, blocks, self.rules):
            self.telling = telling(seed, gold, rows)
            return False
        if len(blocks) > 1 and not self.rules.as_sets and not _orders_anything(self.prediction):
            self.telling = telling(seed, gold, rows, "the order of these rows is an accident: nothing orders them")
            return False
        return True


def _orders(gold: Query, prediction: Query, cut_by_hand: bool) -> int:
    """In how many orders each database is stored."""
    if cut_by_hand or not _is_blind_to_order(gold):
        return 4
    return 1 if _is_blind_to_order(prediction) else 2


def _is_blind_to_order(query: Query) -> bool:
    """Whether a query returns the same rows however they are stored, only in another order perhaps."""
    tree = query.tree
    if tree is None:
        return False
    for node in tree.walk():
        if isinstance(node, _SEES_ORDER) or (isinstance(node, exp.AggFunc) and not isinstance(node, _BLIND_TO_ORDER)):
            return False
        if isinstance(node, exp.Distinct) and node.args.get("on"):
            return False
        if query.dialect in _HAS_BARE_COLUMNS and isinstance(node, exp.AggFunc | exp.Group):
            return False
    return True


def _orders_anything(query: Query) -> bool:
    return query.tree is None or query.tree.find(exp.Order) is not None
