"""Random schemas and queries over them, as syntax trees: joins, conditions, aggregates, grouping, ordering, sub-queries."""

from dataclasses import dataclass

import sqlglot
from hypothesis import strategies as st
from sqlglot import exp

NAMES = ["name", "Rank", "order", "käse", "first name", "total_1", "year", "count"]
TYPES = ["TEXT", "VARCHAR(20)", "INTEGER", "REAL", "DATE"]
TEXTS = st.text(alphabet="ab'%_ö 1", max_size=6)
NUMBERS = st.integers(-5, 3000)


@dataclass(frozen=True)
class Made:
    """A schema and a query over it."""

    tables: tuple[exp.Expr, ...]
    query: exp.Query

    def context(self, dialect: str = "sqlite") -> str:
        return "; ".join(table.sql(dialect=dialect, identify=True) for table in self.tables)

    def gold(self, dialect: str = "sqlite") -> str:
        return self.query.sql(dialect=dialect, identify=True)


@dataclass(frozen=True)
class Place:
    """A column of a table in FROM."""

    table: str
    name: str
    kind: str

    @property
    def column(self) -> exp.Column:
        return exp.column(self.name, self.table, quoted=True)


@st.composite
def made(draw: st.DrawFn) -> Made:
    """A parent table and perhaps a child, and a query over one or both."""
    parent, child = (
        draw(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(TYPES), min_size=1, max_size=3)) for _ in "pc"
    )
    tables = [
        _create("parent", parent, ""),
        _create("child", child, ', "parent_id" INTEGER REFERENCES "parent" ("id")'),
    ]
    places = [Place("p", name, kind) for name, kind in parent.items()]
    source = exp.select().from_(exp.alias_(exp.to_table("parent"), "p", table=True))
    if draw(st.booleans()):
        join = draw(st.sampled_from(["inner", "left"]))
        source = source.join("child", on="c.parent_id = p.id", join_alias="c", join_type=join)
        places += [Place("c", name, kind) for name, kind in child.items()]
    query: exp.Query = _shaped(draw, _conditioned(draw, source, places), places)
    return Made(tuple(tables), query)


def _create(table: str, columns: dict[str, str], more: str) -> exp.Expr:
    listed = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
    return sqlglot.parse_one(f'CREATE TABLE "{table}" ("id" INTEGER PRIMARY KEY, {listed}{more})', read="sqlite")


def _conditioned(draw: st.DrawFn, select: exp.Select, places: list[Place]) -> exp.Select:
    conditions = [_condition(draw, draw(st.sampled_from(places))) for _ in range(draw(st.integers(0, 3)))]
    if not conditions:
        return select
    return select.where(exp.or_(*conditions) if draw(st.booleans()) else exp.and_(*conditions))


def _condition(draw: st.DrawFn, place: Place) -> exp.Expr:
    column, value = place.column, _constant(draw, place)
    match draw(st.integers(0, 8)):
        case 0:
            return column.is_(exp.null())
        case 1:
            return exp.Between(this=column, low=value, high=_constant(draw, place))
        case 2:
            return column.isin(value, _constant(draw, place))
        case 3 if place.kind in ("TEXT", "VARCHAR(20)"):
            return column.like(exp.Literal.string(draw(TEXTS) + "%"))
        case 4:
            of = exp.select(exp.Max(this=exp.column("id"))).from_("child")
            return exp.LTE(this=exp.column("id", "p"), expression=exp.Subquery(this=of))
        case 5:
            return exp.column("id", "p").isin(
                query=exp.select("parent_id").from_("child").where("parent_id IS NOT NULL")
            )
        case 6:
            return exp.Exists(this=exp.select("1").from_("child AS k").where("k.parent_id = p.id"))
        case 7:
            return exp.not_(exp.EQ(this=column, expression=value))
        case _:
            return draw(st.sampled_from([exp.EQ, exp.NEQ, exp.LT, exp.GTE]))(this=column, expression=value)


def _constant(draw: st.DrawFn, place: Place) -> exp.Expr:
    if place.kind in ("INTEGER", "REAL"):
        return exp.Literal.number(draw(NUMBERS))
    return exp.Literal.string(str(draw(st.dates())) if place.kind == "DATE" else draw(TEXTS))


def _shaped(draw: st.DrawFn, select: exp.Select, places: list[Place]) -> exp.Query:
    first, second = draw(st.sampled_from(places)), draw(st.sampled_from(places))
    aggregate = draw(st.sampled_from([exp.Count, exp.Sum, exp.Avg, exp.Min, exp.Max]))(this=second.column)
    match draw(st.sampled_from(["rows", "distinct", "ordered", "aggregate", "groups", "together"])):
        case "distinct":
            return select.select(first.column).distinct()
        case "ordered":
            ordered = select.select(first.column, second.column).order_by(
                exp.Ordered(this=first.column, desc=draw(st.booleans()))
            )
            return ordered.limit(draw(st.integers(1, 4))) if draw(st.booleans()) else ordered
        case "aggregate":
            return select.select(aggregate, exp.Count(this=exp.Star()))
        case "groups":
            grouped = select.select(first.column, aggregate).group_by(first.column)
            return grouped.having(f"COUNT(*) > {draw(st.integers(0, 3))}") if draw(st.booleans()) else grouped
        case "together":
            other = exp.select(exp.column(first.name, first.table, quoted=True)).from_(select.args["from_"].this.copy())
            for join in select.args.get("joins") or []:
                other.append("joins", join.copy())
            combine = draw(st.sampled_from([exp.union, exp.except_, exp.intersect]))
            return combine(select.select(first.column), other.where(_condition(draw, first)))
        case _:
            return select.select(*(place.column for place in dict.fromkeys((first, second))))
