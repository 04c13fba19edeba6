"""The contract of aggregations as a naive fold: no tiles, no batches, no Arrow, no Beam.

Events are `Event`s with Python values; a value is what the fold over a list of them gives. Only the hash that a bound
keeps values by is the library's own, because the contract says which one it is.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cache
from hashlib import blake2b
from typing import Any

import pyarrow as pa

from blocks.aggregating.definition import Definition, Feature
from blocks.aggregating.hashing import hashes_of


@dataclass(frozen=True)
class Event:
    """An event: its identity, when it became known, and its columns."""

    key: Any
    time: int
    id: Any
    columns: dict[str, Any] = field(default_factory=dict, hash=False)
    known: int | None = None
    deletes: bool = False


Where = Callable[[Event], bool]


def accepted(events: list[Event], content: Callable[[Event], bytes] = repr) -> tuple[list[Event], list[Event]]:
    """(events that count, those that are rejected as `conflict`), of all events in any order."""
    deleted = {}
    for one in events:
        if one.deletes:
            deleted[one.key] = max(deleted.get(one.key, one.time), one.time)
    alive = [one for one in events if not one.deletes and one.time > deleted.get(one.key, -(2**63))]
    groups: dict[Any, list[Event]] = {}
    for one in alive:
        groups.setdefault((one.key, one.time, one.id), []).append(one)
    kept, conflicts = [], []
    for same in groups.values():
        best = min(content(one) for one in same)
        equal = [one for one in same if content(one) == best]
        kept.append(min(equal, key=lambda one: one.known or 0))
        conflicts += [one for one in same if content(one) != best]
    return kept, conflicts


def value(definition: Definition, feature: Feature, events: list[Event], key: Any, as_of: int, where: Where) -> Any:
    """(the value, whether it is truncated) of a feature of a key at a time, from accepted events."""
    if feature.of:
        parts = [next(one for one in definition.features if one.name == name) for name in feature.of]
        (top, cut), (bottom, also) = (value(definition, one, events, key, as_of, where) for one in parts)
        return _quotient(top, bottom), cut or also
    seen = [one for one in events if one.key == key and one.time < as_of and (one.known is None or one.known < as_of)]
    seen.sort(key=lambda one: (one.time, one.id))
    if feature.window is None:
        chosen: list[Event] = []
        for one in [*seen, Event(key, as_of, None)]:
            chosen = [*chosen, one] if not chosen or one.time - chosen[-1].time <= definition.state_ttl else [one]
        chosen.pop()
    else:
        begin = as_of - feature.window
        begin = begin // feature.hop * feature.hop if feature.hop else begin
        chosen = [one for one in seen if one.time >= begin]
    chosen = [one for one in chosen if not feature.where or where(one)]
    needed = [name for name in (feature.column, feature.by) if name]
    chosen = [one for one in chosen if all(one.columns[name] is not None for name in needed)]
    cut = feature.max_events is not None and len(chosen) > feature.max_events
    if cut:
        chosen = chosen[len(chosen) - feature.max_events :]
    found, truncated = _by(feature, chosen, as_of) if feature.by else _fold(feature, chosen, as_of)
    return found, truncated or cut


def _by(feature: Feature, events: list[Event], as_of: int) -> tuple[Any, bool]:
    groups: dict[Any, list[Event]] = {}
    for one in events:
        groups.setdefault(_plain(one.columns[feature.by]), []).append(one)
    kept = sorted(groups, key=_hash)[: feature.max_keys]
    folded = {one: _fold(feature, groups[one], as_of) for one in sorted(kept, key=_order)}
    truncated = len(groups) > len(kept) or any(cut for _, cut in folded.values())
    return [(one, found) for one, (found, _) in folded.items()], truncated


def _fold(feature: Feature, events: list[Event], as_of: int) -> tuple[Any, bool]:
    values = [_plain(one.columns[feature.column]) for one in events] if feature.column else []
    return _FOLDS[feature.op](feature, events, values, as_of)


def _quotient(top: Any, bottom: Any) -> float | None:
    if top is None or bottom is None or bottom == 0:
        return None
    found = float(top) / float(bottom)
    return math.nan if math.isnan(found) else found + 0.0


def _plain(value: Any) -> Any:
    """One zero and one NaN; the same object, so that it is one key of a dict."""
    return (math.nan if math.isnan(value) else value + 0.0) if isinstance(value, float) else value


def _order(value: Any) -> Any:
    if isinstance(value, float):
        return (math.isnan(value), 0.0 if math.isnan(value) else value)
    return value.encode() if isinstance(value, str) else value


def _hash(value: Any) -> int:
    return int(hashes_of(pa.array([value]))[0])


def _total(values: list[Any]) -> Any:
    """The exact sum; of floats that are not finite what IEEE 754 makes of them in any order; None of none."""
    if any(isinstance(one, float) and not math.isfinite(one) for one in values):
        if any(math.isnan(one) for one in values) or {math.inf, -math.inf} <= set(values):
            return math.nan
        return next(one for one in values if math.isinf(one))
    return sum(map(Fraction, values), Fraction(0)) if values else None


def _double(value: Fraction) -> float:
    try:
        return value.numerator / value.denominator
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _sum(feature: Feature, events: list[Event], values: list[Any], as_of: int) -> tuple[Any, bool]:
    total = _total(values)
    if not isinstance(total, Fraction):
        return total, False
    if isinstance(values[0], float):
        return _double(total), False
    return (Decimal(total.numerator) / total.denominator if isinstance(values[0], Decimal) else int(total)), False


def _average(feature: Feature, events: list[Event], values: list[Any], as_of: int) -> tuple[Any, bool]:
    total = _total(values)
    return (_double(total / len(values)) if isinstance(total, Fraction) else total), False


def _central(values: list[Any], power: int) -> Fraction:
    mean = sum(map(Fraction, values), Fraction(0)) / len(values)
    return sum(((Fraction(one) - mean) ** power for one in values), Fraction(0))


def _root(value: Fraction) -> float:
    """The root rounded once: of the integers next to a root of 200 bits, whichever it is."""
    if not value:
        return 0.0
    shift = max(0, 400 - value.numerator.bit_length() + value.denominator.bit_length())
    shift += shift % 2
    root = math.isqrt((value.numerator << shift) // value.denominator)
    exact = Fraction(root * root, 1 << shift) == value
    return _double(Fraction(2 * root + (not exact), 1 << (shift // 2 + 1)))


def _moments(least: int, result: Callable[[list[Any]], float | None]) -> Any:
    def fold(feature: Feature, events: list[Event], values: list[Any], as_of: int) -> tuple[Any, bool]:
        if values and any(isinstance(one, float) and not math.isfinite(one) for one in values):
            return math.nan, False
        return (result(values) if len(values) >= least else None), False

    return fold


def _skew(values: list[Any]) -> float | None:
    second, third, count = _central(values, 2), _central(values, 3), len(values)
    if not second:
        return None
    found = _root((third / count) ** 2 / (second / count) ** 3)
    return found if third >= 0 else -found


def _kurtosis(values: list[Any]) -> float | None:
    second, count = _central(values, 2), len(values)
    return _double(_central(values, 4) / count / (second / count) ** 2 - 3) if second else None


def _variance(less: int) -> Any:
    return _moments(less + 1, lambda values: _double(_central(values, 2) / (len(values) - less)))


def _stddev(less: int) -> Any:
    return _moments(less + 1, lambda values: _root(_central(values, 2) / (len(values) - less)))


def _extreme(index: int) -> Any:
    return lambda feature, events, values, as_of: (sorted(values, key=_order)[index] if values else None, False)


def _unique(feature: Feature, events: list[Event], values: list[Any], as_of: int) -> tuple[Any, bool]:
    hashes = {_hash(one) for one in values}
    return min(len(hashes), feature.options["max"]), len(hashes) > feature.options["max"]


def _histogram(feature: Feature, events: list[Event], values: list[Any], as_of: int) -> tuple[Any, bool]:
    counts: dict[int, tuple[Any, int]] = {}
    for one in values:
        counts[_hash(one)] = (one, counts.get(_hash(one), (one, 0))[1] + 1)
    kept = [counts[one] for one in sorted(counts)[: feature.options["max_values"]]]
    kept.sort(key=lambda one: _order(one[0]))
    if "k" in feature.options:
        kept = sorted(kept, key=lambda one: -one[1])[: feature.options["k"]]
    return kept, len(counts) > feature.options["max_values"]


def _hyperloglog(feature: Feature, events: list[Event], values: list[Any], as_of: int) -> tuple[Any, bool]:
    precision = feature.options["precision"]
    ranks = [0] * (1 << precision)
    for one in values:
        left = _hash(one) << precision
        register, rest = left >> 64, left & ((1 << 64) - 1)
        rank = 64 - precision + 1 if rest >> precision == 0 else 65 - rest.bit_length()
        ranks[register] = max(ranks[register], rank)
    return (_ertl(ranks, precision) if values else 0), False


def _ertl(ranks: list[int], precision: int) -> int:
    """Algorithm 6 of Ertl's paper, as it stands there."""
    registers, most = 1 << precision, 64 - precision
    counts = [ranks.count(rank) for rank in range(most + 2)]
    z = registers * _tau(1 - counts[most + 1] / registers)
    for rank in range(most, 0, -1):
        z = 0.5 * (z + counts[rank])
    z += registers * _sigma(counts[0] / registers)
    return math.floor(registers * registers / (2 * math.log(2)) / z + 0.5)


def _sigma(x: float) -> float:
    if x == 1:
        return math.inf
    y, z = 1.0, x
    while True:
        x *= x
        before = z
        z += x * y
        y += y
        if z == before:
            return z


def _tau(x: float) -> float:
    if x in (0, 1):
        return 0.0
    y, z = 1.0, 1 - x
    while True:
        x = math.sqrt(x)
        before = z
        y *= 0.5
        z -= (1 - x) ** 2 * y
        if z == before:
            return z / 3


def _percentile(feature: Feature, events: list[Event], values: list[Any], as_of: int) -> tuple[Any, bool]:
    """DDSketch: the middle of the bucket in which the value of the rank lies; the smallest and the largest exact."""
    share = feature.options["share"]
    shares = share if isinstance(share, tuple) else (share,)
    if not values:
        return None, False
    doubles = sorted(map(float, values)) if not any(map(math.isnan, map(float, values))) else []
    found = [_quantile(doubles, one, feature.options["least"], feature.options["most"]) for one in shares]
    return (found if isinstance(share, tuple) else found[0]), False


def _quantile(ordered: list[float], share: float, least: float, most: float) -> float:
    if not ordered:
        return math.nan
    rank = math.floor(share * (len(ordered) - 1))
    found = ordered[rank]
    if 0 < rank < len(ordered) - 1:
        size = min(abs(found), most)
        middle = math.copysign(_bucket_middle(bucket(size)), found) if size >= least else 0.0
        found = min(max(middle, ordered[0]), ordered[-1])
    return found + 0.0


def _log(part: float) -> float:
    """In place of log2(1 + part), for parts from 0 to 1: a cubic, in doubles, in this order of operations."""
    return ((6.0 / 35.0 * part - 3.0 / 5.0) * part + 10.0 / 7.0) * part


def bucket(size: float) -> int:
    """The bucket of a magnitude: size = (1 + part) * 2**exponent."""
    half, exponent = math.frexp(size)
    return math.floor(35.0 * (_log(2.0 * half - 1.0) + (exponent - 1)))


def _bucket_middle(index: int) -> float:
    low, high = bucket_bound(index), bucket_bound(index + 1)
    return 2.0 * low * (high / (low + high))


@cache
def bucket_bound(index: int) -> float:
    """Where a bucket begins: the inverse of `_log` by halving, sixty times."""
    exponent = index // 35
    wanted = index / 35.0 - exponent
    low, high = 0.0, 1.0
    for _ in range(60):
        half = (low + high) * 0.5
        low, high = (low, half) if _log(half) > wanted else (half, high)
    return math.ldexp(1.0 + low, exponent)


_FOLDS: dict[str, Callable[[Feature, list[Event], list[Any], int], tuple[Any, bool]]] = {
    "count": lambda feature, events, values, as_of: (len(events), False),
    "count_where": lambda feature, events, values, as_of: (len(events), False),
    "sum": _sum,
    "average": _average,
    "min": _extreme(0),
    "max": _extreme(-1),
    "first": lambda feature, events, values, as_of: (values[0] if values else None, False),
    "last": lambda feature, events, values, as_of: (values[-1] if values else None, False),
    "first_k": lambda feature, events, values, as_of: (values[: feature.options["k"]], False),
    "last_k": lambda feature, events, values, as_of: (values[::-1][: feature.options["k"]], False),
    "top_k": lambda feature, events, values, as_of: (
        sorted(values, key=_order, reverse=True)[: feature.options["k"]],
        False,
    ),
    "bottom_k": lambda feature, events, values, as_of: (sorted(values, key=_order)[: feature.options["k"]], False),
    "unique_count": _unique,
    "approx_unique_count": _hyperloglog,
    "approx_percentile": _percentile,
    "variance_pop": _variance(0),
    "variance_samp": _variance(1),
    "stddev_pop": _stddev(0),
    "stddev_samp": _stddev(1),
    "skew": _moments(1, _skew),
    "kurtosis": _moments(1, _kurtosis),
    "histogram": _histogram,
    "approx_histogram_k": _histogram,
    "rate": lambda feature, events, values, as_of: (
        _double(Fraction(len(events) * feature.options["per"], feature.window)),
        False,
    ),
    "time_since_last": lambda feature, events, values, as_of: (as_of - events[-1].time if events else None, False),
}


def content_hash(text: bytes) -> bytes:
    """128 bits of BLAKE2b, as the contract has it."""
    return blake2b(text, digest_size=16, person=b"blocks.content").digest()
