"""The values of constant expressions: literals, patterns of LIKE and its kin, dates reckoned from literals or from now."""

import calendar
import datetime
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from sqlglot import exp

_NOW = exp.CurrentTimestamp | exp.CurrentDatetime | exp.Localtimestamp | exp.CurrentTimestampLTZ | exp.UtcTimestamp
_NOW_NAMES = {"now", "get_current_timestamp", "sysdate", "getdate", "transaction_timestamp", "clock_timestamp"}
_MONTHS = {"year": 12, "quarter": 3, "month": 1}
_SECONDS = {"week": 7 * 86400, "day": 86400, "hour": 3600, "minute": 60, "second": 1}
PARTS: dict[str, Callable[[datetime.datetime], int]] = {
    "year": lambda m: m.year, "quarter": lambda m: (m.month + 2) // 3, "month": lambda m: m.month, "day": lambda m: m.day,
    "hour": lambda m: m.hour, "minute": lambda m: m.minute, "second": lambda m: m.second,
    "dow": lambda m: m.isoweekday() % 7, "isodow": lambda m: m.isoweekday(), "weekday": lambda m: m.weekday(),
    "dayofweek": lambda m: m.isoweekday() % 7 + 1, "week": lambda m: m.isocalendar().week,
    "doy": lambda m: m.timetuple().tm_yday,
}  # fmt: skip
PART_NODES: dict[type[exp.Expr], str] = {
    exp.Year: "year", exp.Quarter: "quarter", exp.Month: "month", exp.Day: "day", exp.DayOfMonth: "day",
    exp.Hour: "hour", exp.Minute: "minute", exp.Second: "second",
}  # fmt: skip
_DATE_TYPES = {exp.DataType.Type.DATE}
_ARITHMETIC: dict[type[exp.Expr], Callable[[Any, Any], Any]] = {
    exp.Add: lambda a, b: a + b, exp.Sub: lambda a, b: a - b, exp.Mul: lambda a, b: a * b, exp.Div: lambda a, b: a / b,
}  # fmt: skip


class NotConstant(Exception):
    """The expression depends on rows, or is not understood."""


def constant(node: exp.Expr, now: datetime.datetime) -> Any:
    """The value of an expression: str, int, float, bool, date, datetime, or None when it is no constant."""
    try:
        return _value(node, now)
    except (NotConstant, ValueError, OverflowError, TypeError, ArithmeticError):
        return None


def _value(node: exp.Expr, now: datetime.datetime) -> Any:
    if isinstance(node, exp.Literal):
        return str(node.this) if node.is_string else number(node.this)
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    if isinstance(node, exp.Paren | exp.Collate | exp.AtTimeZone):
        return _value(node.this, now)
    if isinstance(node, exp.Neg):
        return -_value(node.this, now)
    if isinstance(node, _NOW):
        return now
    if isinstance(node, exp.CurrentDate):
        return now.date()
    if isinstance(node, exp.Anonymous):
        return _named(node, now)
    if isinstance(node, exp.Add | exp.Sub | exp.Mul | exp.Div):
        return _arithmetic(node, now)
    return _date_function(node, now)


def _date_function(node: exp.Expr, now: datetime.datetime) -> Any:
    if isinstance(node, exp.Cast):
        value = _value(node.this, now)
        return as_date(value) if node.to.this in _DATE_TYPES else value
    if isinstance(node, exp.Date | exp.TsOrDsToDate):
        return as_date(_value(node.this, now))
    if isinstance(node, exp.TsOrDsToTimestamp | exp.Timestamp):
        return as_moment(_value(node.this, now))
    if isinstance(node, exp.StrToDate | exp.StrToTime):
        return datetime.datetime.strptime(_value(node.this, now), node.text("format"))
    if isinstance(node, exp.TimeToStr):
        return as_moment(_value(node.this, now)).strftime(node.text("format"))
    if isinstance(node, exp.DateAdd | exp.DateSub):
        sign = -1 if isinstance(node, exp.DateSub) else 1
        amount = sign * float(_value(node.expression, now))
        return shifted(_value(node.this, now), amount, node.text("unit") or "day")
    if type(node) in PART_NODES:
        return PARTS[PART_NODES[type(node)]](as_moment(_value(node.this, now)))
    if isinstance(node, exp.Extract) and node.name.lower() in PARTS:
        return PARTS[node.name.lower()](as_moment(_value(node.expression, now)))
    if isinstance(node, exp.DateTrunc | exp.TimestampTrunc):
        return truncated(as_moment(_value(node.this, now)), node.text("unit"))
    raise NotConstant


def _arithmetic(node: exp.Binary, now: datetime.datetime) -> Any:
    left, right = _value(node.left, now), node.right
    sign = -1 if isinstance(node, exp.Sub) else 1
    if isinstance(right, exp.Interval):
        for amount, unit in interval_of(right):
            left = shifted(left, sign * amount, unit)
        return left
    other = _value(right, now)
    if isinstance(left, datetime.date) and isinstance(other, int | float):
        return shifted(left, sign * other, "day")
    return _ARITHMETIC[type(node)](left, other)


def _named(node: exp.Anonymous, now: datetime.datetime) -> Any:
    """A function that sqlglot does not know: SQLite's date('now', '-7 days'), and now under its many names."""
    name, arguments = node.name.lower(), [str(_value(argument, now)) for argument in node.expressions]
    if name in _NOW_NAMES:
        return now
    if name not in ("date", "datetime") or not arguments:
        raise NotConstant
    moment = moved(now if arguments[0] == "now" else as_moment(arguments[0]), arguments[1:])
    return moment.date() if name == "date" else moment


def moved(moment: datetime.datetime, modifiers: Sequence[str]) -> datetime.datetime:
    """A moment as the modifiers of SQLite's date functions change it: '-7 days', 'start of month'."""
    for modifier in modifiers:
        if modifier.startswith("start of "):
            moment = truncated(moment, modifier.removeprefix("start of "))
        elif found := re.fullmatch(r"([+-]?[\d.]+) (\w+)", modifier):
            moment = as_moment(shifted(moment, float(found[1]), found[2]))
        else:
            raise NotConstant
    return moment


def plain_form(form: str) -> str:
    """A form of strftime, as sqlglot reads one of PostgreSQL: it takes the D of Day and Dy for a number."""
    return form.replace("FM", "").replace("%uay", "%A").replace("%uy", "%a")


def interval_of(node: exp.Interval) -> list[tuple[float, str]]:
    """The amounts and units of INTERVAL '1' MONTH or INTERVAL '1 year 2 days'."""
    written = f"{node.this.name if node.this else ''} {node.text('unit')}"
    found = re.findall(r"([+-]?[\d.]+)\s*([a-zA-Z]+)", written)
    if not found:
        raise NotConstant
    return [(float(amount), unit) for amount, unit in found]


def shifted(value: Any, amount: float, unit: str) -> datetime.date:
    """A date or moment, so many units later. A date stays one when days, months or years are added."""
    unit = unit.lower().rstrip("s")
    moment = as_moment(value)
    if unit in _MONTHS:
        month = moment.year * 12 + moment.month - 1 + int(amount) * _MONTHS[unit]
        year, month = divmod(month, 12)
        last = calendar.monthrange(year, month + 1)[1]
        moment = moment.replace(year=year, month=month + 1, day=min(moment.day, last))
    elif unit in _SECONDS:
        moment += datetime.timedelta(seconds=amount * _SECONDS[unit])
    else:
        raise NotConstant
    whole = unit in _MONTHS or unit in ("day", "week")
    return moment.date() if whole and not isinstance(value, datetime.datetime) and _is_day(value) else moment


def truncated(moment: datetime.datetime, unit: str) -> datetime.datetime:
    """The start of the year, quarter, month, week, day, hour or minute that a moment lies in."""
    unit = unit.lower()
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    match unit:
        case "year":
            return day.replace(month=1, day=1)
        case "quarter":
            return day.replace(month=(moment.month - 1) // 3 * 3 + 1, day=1)
        case "month":
            return day.replace(day=1)
        case "week":
            return day - datetime.timedelta(days=moment.weekday())
        case "day":
            return day
        case "hour":
            return moment.replace(minute=0, second=0, microsecond=0)
        case "minute":
            return moment.replace(second=0, microsecond=0)
    raise NotConstant


def _is_day(value: Any) -> bool:
    return not isinstance(value, str) or len(value) == 10


def as_moment(value: Any) -> datetime.datetime:
    """A date, moment or ISO text as a moment without time zone. Raises ValueError."""
    if isinstance(value, datetime.datetime):
        return value
    if isinstance(value, datetime.date):
        return datetime.datetime.combine(value, datetime.time())
    return datetime.datetime.fromisoformat(str(value).strip()).replace(tzinfo=None)


def as_date(value: Any) -> datetime.date:
    """The day of a date, moment or ISO text. Raises ValueError."""
    return as_moment(value).date()


def number(text: str) -> int | float | None:
    """The finite number that a text spells, if it does."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


# What LIKE and its kin look for.
PATTERNS = exp.Like | exp.ILike | exp.SimilarTo | exp.RegexpLike | exp.RegexpILike | exp.Glob | exp.StartsWith
_BACKSLASH_ESCAPES = {"postgres", "mysql"}
_CASELESS_LIKE = {"sqlite", "mysql"}


def pattern_of(node: exp.Expr, dialect: str) -> tuple[str, tuple[Any, ...]] | None:
    """The operator (like, regexp) and its values, as `facts.Condition` has them; None where the pattern is no literal."""
    if not isinstance(node.expression, exp.Literal) or not node.expression.is_string:
        return None
    pattern = str(node.expression.this)
    caseless = isinstance(node, exp.ILike | exp.RegexpILike)
    if isinstance(node, exp.RegexpLike | exp.RegexpILike):
        return "regexp", (pattern, caseless or dialect == "mysql")
    if isinstance(node, exp.Glob):
        return "like", (pattern.replace("*", "%").replace("?", "_"), "", False)
    if isinstance(node, exp.StartsWith):
        return "like", (pattern + "%", "", False)
    escape = "\\" if dialect in _BACKSLASH_ESCAPES else ""
    if isinstance(node.parent, exp.Escape):
        escape = node.parent.expression.name
    return "like", (pattern, escape, caseless or dialect in _CASELESS_LIKE)
