"""Dates and moments: around those that a query names, in the months and hours that it asks for, and by chance."""

import calendar
import datetime
import itertools
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from finetune_flows.tasks.sql.generator.column_functions import Function, applied
from finetune_flows.tasks.sql.generator.constants import NotConstant, as_moment, shifted, truncated
from finetune_flows.tasks.sql.generator.facts import Condition

FIRST_DAY = datetime.date(2015, 1, 1)
_TIMES = (
    datetime.time(13, 45, 10), datetime.time(0), datetime.time(23, 59, 59), datetime.time(8, 30), datetime.time(17, 5, 59)
)  # fmt: skip
_DIRECTIVES = {"%Y": "year", "%y": "year", "%m": "month", "%b": "month", "%B": "month", "%d": "day", "%H": "hour"}
_SHAPES = [
    (re.compile(r"%?([12]\d{3})(?:-?%|_+)?"), ("year",)),
    (re.compile(r"([12]\d{3})-(0[1-9]|1[0-2])(?:-?%|-?_+)?"), ("year", "month")),
    (re.compile(r"(?:%|____)-(0[1-9]|1[0-2])-(?:%|__)"), ("month",)),
    (re.compile(r"(0[1-9]|1[0-2])"), ("month",)),
]
_COUNTED = {"year", "quarter", "month", "day", "hour", "minute", "second"}
_SUBSTRINGS = {(1, 4): "year", (6, 2): "month", (9, 2): "day", (12, 2): "hour"}
_MOST = 24
_MOST_TRIED = 4
_EARLIEST, _LATEST = datetime.datetime(2, 6, 1), datetime.datetime(9998, 1, 1)


@dataclass
class _Asked:
    """What conditions ask of a date: to be near some moment, to have some parts, or to be found by trying days."""

    moments: list[datetime.datetime] = field(default_factory=list)
    parts: dict[str, list[int]] = field(default_factory=dict)
    tried: list[tuple[tuple[Function, ...], Any]] = field(default_factory=list)

    def add_part(self, unit: str, value: Any) -> None:
        values = self.parts.setdefault(unit, [])
        if (whole := int(value)) not in values:
            values.append(whole)


def dates_around(conditions: Iterable[Condition]) -> list[datetime.datetime]:
    """Moments around what the conditions name; at midnight where it is a day. Empty when they name no date."""
    asked = _Asked()
    for condition in conditions:
        for value in condition.values:
            try:
                _read(asked, condition, value)
            except (ValueError, TypeError, OverflowError, NotConstant):
                continue
    found: list[datetime.datetime] = []
    for moment in asked.moments:
        if _EARLIEST < moment < _LATEST:
            found += _around(moment)
    if asked.parts and not asked.tried:
        found = [*_with_parts(asked), *found]
    return list(dict.fromkeys([*_by_trying(asked), *found]))[:_MOST]


def _read(asked: _Asked, condition: Condition, value: Any) -> None:
    match condition.functions[-1:]:
        case (("part", unit),) if unit in _COUNTED:
            asked.add_part(unit, value)
        case (("part", _),):
            asked.tried.append((condition.functions, value))
        case (("substring", start, length),) if (start, length) in _SUBSTRINGS:
            asked.add_part(_SUBSTRINGS[start, length], value)
        case (("time",),):
            time = datetime.time.fromisoformat(str(value))
            asked.moments += [datetime.datetime.combine(day, time) for day in (FIRST_DAY, FIRST_DAY.replace(year=2024))]
        case (("format", form),) if isinstance(value, str):
            if set(re.findall("%.", form)) <= {*_DIRECTIVES, "%M", "%S"}:
                _read_formatted(asked, form, value)
            else:
                asked.tried.append((condition.functions, value))
        case (("integer",),) if isinstance(value, int) and len(condition.functions) > 1:
            inner = Condition(condition.operator, (), condition.functions[:-1])
            width = 4 if value > 31 else 2
            _read(asked, inner, f"{value:0{width}}")
        case (("truncated", unit),):
            start = as_moment(value)
            last = truncated(as_moment(shifted(start, 1, unit)), "day") - datetime.timedelta(seconds=1)
            years = [start.replace(year=start.year + more, day=min(start.day, 28)) for more in (-1, 1)]
            asked.moments += [start, last, *years]
        case _:
            _read_plain(asked, value)


def _read_formatted(asked: _Asked, form: str, value: str) -> None:
    moment = datetime.datetime.strptime(value, form)
    units = {_DIRECTIVES[found] for found in re.findall("%.", form) if found in _DIRECTIVES}
    if {"year", "month", "day"} <= units:
        asked.moments.append(moment)
    else:
        for unit in sorted(units):
            asked.add_part(unit, getattr(moment, unit))


def _read_plain(asked: _Asked, value: Any) -> None:
    """A date, or a number or text that may mean a year, a month of it ("2024-03") or that month of any year ("03")."""
    if isinstance(value, datetime.date):
        asked.moments.append(as_moment(value))
        return
    text = str(value)
    for shape, units in _SHAPES:
        if found := shape.fullmatch(text):
            for unit, part in zip(units, found.groups(), strict=True):
                asked.add_part(unit, part)
            return
    if isinstance(value, str):
        asked.moments.append(as_moment(value))


def _around(moment: datetime.datetime) -> list[datetime.datetime]:
    if moment.time() == datetime.time():
        days = [moment + datetime.timedelta(days=offset) for offset in (0, 1, -1, 40, -400)]
        late, early = (datetime.timedelta(hours=hours, minutes=35, seconds=10) for hours in (14, 6))
        second = datetime.timedelta(seconds=1)
        return [moment, days[0] + late, days[1] - second, moment - second, *days[1:], days[1] + early, days[2] + late]
    steps = [datetime.timedelta(seconds=s) for s in (0, 1, -1, 3600, -3600, 86400, -86400, 40 * 86400, -400 * 86400)]
    return [moment + step for step in steps]


def _with_parts(asked: _Asked) -> Iterator[datetime.datetime]:
    """Every combination of the parts asked for, then some with one part moved."""
    parts = asked.parts
    months = parts.get("month") or [3 * quarter - 1 for quarter in parts.get("quarter", ())] or [6, 11]
    years = parts.get("year") or [moment.year for moment in asked.moments[:2]] or [2024, 2023]
    days = parts.get("day") or [15, 3, 31]
    clocks = [
        *itertools.product(parts.get("hour") or [], parts.get("minute") or [0, 59], parts.get("second") or [0, 30])
    ]
    clocks = clocks or [(t.hour, t.minute, t.second) for t in _TIMES]
    whole = [*itertools.product(years[:3], months[:3], days[:3])][:8]
    for i, day in enumerate(whole):
        yield _moment(*day, *clocks[i % len(clocks)])
        if i == 0:
            yield from (_moment(*day, *other) for other in clocks[1:3])
    (year, month, date), clock = whole[0], clocks[0]  # the misses
    yield _moment(year - 1, month, date, *clock)
    yield _moment(year + 1, month, date, *clocks[-1])
    yield _moment(year, month % 12 + 1, date, *clock)
    yield _moment(year, (month - 2) % 12 + 1, date, *clock)
    yield _moment(year, month, date % 28 + 1, (clock[0] + 1) % 24, *clock[1:])
    yield _moment(year, month, date, (clock[0] - 1) % 24, 59, 59)


def _by_trying(asked: _Asked) -> Iterator[datetime.datetime]:
    """Days of a week, weeks of a year and the like: days that have them, in each year and month asked for, and those next to them."""
    years = asked.parts.get("year") or [moment.year for moment in asked.moments[:2]] or [2023, 2024]
    months = asked.parts.get("month") or range(1, 13)
    days = [
        datetime.datetime(year, month, day)
        for year in years[:2] for month in months for day in range(1, calendar.monthrange(year, month)[1] + 1)
    ]  # fmt: skip
    for functions, value in asked.tried:
        met = [day for day in days if str(applied(functions, day)).strip() == str(value)]
        for i, day in enumerate(met[:: max(1, len(met) // _MOST_TRIED)][: _MOST_TRIED + 1]):
            time = _TIMES[i % len(_TIMES)]
            yield datetime.datetime.combine(day, time)
            if i < 2:
                yield from (datetime.datetime.combine(day + datetime.timedelta(days=n), time) for n in (1, -1))


def _moment(year: int, month: int, day: int, hour: int, minute: int, second: int) -> datetime.datetime:
    year, month = min(max(year, 1), 9998), min(max(month, 1), 12)
    day = min(max(day, 1), calendar.monthrange(year, month)[1])
    return datetime.datetime(year, month, day, hour % 24, minute % 60, second % 60)


def days_by_chance(count: int, rng: random.Random) -> list[datetime.date]:
    """Different days. Half of them share month, year or day of the month with another, or follow it."""
    found: dict[datetime.date, None] = {}
    last = FIRST_DAY
    while len(found) < count:
        if not found or rng.random() < 0.5:
            day = FIRST_DAY + datetime.timedelta(days=rng.randrange(4000))
        else:
            day = _relative(last, rng.randrange(5))
        found[day] = None
        last = day
    return list(found)


def _relative(day: datetime.date, choice: int) -> datetime.date:
    end = calendar.monthrange(day.year, day.month)[1]
    match choice:
        case 0:
            return day + datetime.timedelta(days=1)
        case 1:
            return day.replace(year=day.year + 1, day=min(day.day, 28))
        case 2:
            return day.replace(day=end)
        case 3:
            return day.replace(month=12, day=31) if day.month > 6 else day.replace(day=1)
    return day.replace(day=day.day % 28 + 1)


def moments_by_chance(count: int, rng: random.Random) -> list[datetime.datetime]:
    """Different moments, several on one day; some at midnight, some a second before."""
    days = days_by_chance((count + 1) // 2, rng)
    found: dict[datetime.datetime, None] = {}
    while len(found) < count:
        day = days[len(found) % len(days)]
        time = (
            rng.choice(_TIMES[1:3])
            if rng.random() < 0.4
            else datetime.time(rng.randrange(24), rng.randrange(60), rng.choice((0, 30, rng.randrange(60))))
        )
        found[datetime.datetime.combine(day, time)] = None
    return list(found)
