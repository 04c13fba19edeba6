"""Renders events: one column of text a piece of the line, joined once a chunk."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, timedelta
from functools import lru_cache, partial
from itertools import product

import numpy as np
import numpy.typing as npt

from blocks.testing.simulator.config import SimulatorConfig
from blocks.testing.simulator.draws import Draws, Ints
from blocks.testing.simulator.faults import corrupt
from blocks.testing.simulator.people import Person, person
from blocks.testing.simulator.plan import LEAST_LATE_SECONDS, MOST_LATE_SECONDS, bad_records, late_records

Texts = npt.NDArray[np.object_]
Column = list[str] | str

_MICRO = 1_000_000
_DAY = 86_400 * _MICRO
_CACHED_USERS = 32_768
# The first sequence number is the first integer that a reader through floats gets wrong.
_FIRST_SEQUENCE = 2**53 + 1


def _texts(values: list[str]) -> Texts:
    return np.array(values, dtype=object)


# Of each hundred events: 50 payments, 25 transfers, 15 withdrawals, 5 refunds, 5 fees.
_TYPES = ("card_payment",) * 10 + ("transfer",) * 5 + ("withdrawal",) * 3 + ("refund", "fee")
_STATUSES = ("settled",) * 6 + ("pending", "declined")
_HEADS = _texts([f'Z","type":"{kind}","status":"{status}",' for kind, status in product(_TYPES, _STATUSES)])
_WITH_GOODS = np.array([kind in ("card_payment", "refund") for kind in _TYPES])
_WITH_CARD = np.array([kind in ("card_payment", "refund", "withdrawal") for kind in _TYPES])
_SIGNS = _texts([',"amount":-' if kind == "refund" else ',"amount":' for kind in _TYPES])
# What takes the place of goods: an empty list, null, or nothing.
_NO_GOODS = _texts(
    ["" if kind in ("transfer", "refund") else ',"items":null' if kind == "fee" else ',"items":[]' for kind in _TYPES]
)

_MINUTES = _texts([f"{hour:02d}:{minute:02d}:" for hour, minute in product(range(24), range(60))])
_MILLIS = _texts([f"{second:02d}.{milli:03d}" for second, milli in product(range(60), range(1000))])
_MICROS = _texts([f"{micro:03d}" for micro in range(1000)])
_CENTS = _texts([f".{cent:02d}" for cent in range(100)])

_CATEGORIES = ("groceries", "books", "travel", "energy", "games", "pharmacy", "fuel", "furniture")
_MERCHANTS = _texts(
    [
        f',"merchant":{{"id":"m{number:04d}","name":"Sample {_CATEGORIES[number % 8]} {number}",'
        f'"category":"{_CATEGORIES[number % 8]}"}}'
        for number in range(2000)
    ]
)
# Quotes, backslashes and letters beyond ASCII, raw and escaped, are what a parser stumbles over.
_GOODS = ("mug", 'tent \\"dome\\"', "caf\\u00e9 cr\\u00e8me", "Müsli", "cable 3\\/4", "lamp", "soap", "map")
_PRODUCTS, _QUANTITIES = 500, 4
_PRICES = np.array([number * number % 7919 + 49 for number in range(_PRODUCTS)], dtype=np.int64)
_ITEMS = [
    f'{{"sku":"S{number:04d}","description":"{_GOODS[number % 8]}","quantity":{quantity},'
    f'"unit_price":{_PRICES[number] // 100}.{_PRICES[number] % 100:02d}}}'
    for number, quantity in product(range(_PRODUCTS), range(1, _QUANTITIES + 1))
]
# The first entry of each is for an event without an item in that place.
_FIRST_ITEMS = _texts(["", *(f',"items":[{item}' for item in _ITEMS)])
_MORE_ITEMS = _texts(["", *(f",{item}" for item in _ITEMS)])
_ITEM_COUNTS = np.array([1, 1, 1, 1, 2, 2, 3], dtype=np.int64)
_ITEM_CENTS = np.concatenate([[0], np.outer(_PRICES, np.arange(1, _QUANTITIES + 1)).ravel()]).astype(np.int64)

_TAGS = _texts(
    ["", "", ',"tags":null', ',"tags":[]', ',"tags":["recurring"]', ',"tags":["online","3ds"]', ',"tags":["in-store"]']
)
_ATTRIBUTES = _texts(
    ["}\n"] * 150
    + [',"attributes":{}}\n'] * 50
    + [
        f',"attributes":{{"channel":"{channel}","campaign":"c{campaign:02d}"}}}}\n'
        for channel, campaign in product(("app", "web", "branch", "phone"), range(50))
    ]
    + [f',"attributes":{{"terminal":"t{terminal:03d}"}}}}\n' for terminal in range(100)]
)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some records, and what is in them.

    Attributes:
      data: JSON lines, UTF-8 but for the records that are bad by it.
      events: records, bad ones included.
      bad: bad records by code.
      late: good records that are late.
      users: numbers of the users of the good records, each once.
      times: when the good records occurred, microseconds from `config.start`.
    """

    data: bytes
    events: int
    bad: dict[str, int]
    late: int
    users: Ints
    times: Ints


def chunks(config: SimulatorConfig, chunk_events: int) -> Iterator[Chunk]:
    """All records in order, `chunk_events` at a time."""
    # Shares of 1/rank added up; additions from left to right give the same sums everywhere.
    shares = np.cumsum(1.0 / np.arange(1, config.population + 1))
    people = lru_cache(_CACHED_USERS)(partial(person, config.seed))
    first_day = config.start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    days = _texts([(first_day + timedelta(days=day)).strftime("%Y-%m-%dT") for day in range(config.days + 1)])
    for first in range(0, config.events, chunk_events):
        yield _chunk(config, np.arange(first, min(first + chunk_events, config.events)), shares, people, days)


def _chunk(
    config: SimulatorConfig,
    positions: Ints,
    shares: npt.NDArray[np.float64],
    people: Callable[[int], Person],
    days: Texts,
) -> Chunk:
    low, high = int(positions[0]), int(positions[-1]) + 1
    draws = Draws(config.seed, positions)
    turns, bad_positions = bad_records(config).chosen(low, high)
    good = np.ones(len(positions), bool)
    good[bad_positions - low] = False
    occurred, received = _times(config, positions, draws, _late(config, low, high, good))
    users = np.searchsorted(shares, draws.unit("user") * shares[-1], side="right")

    clocks = _clock(config, occurred, days), _clock(config, received, days)
    columns = _columns(config, positions, draws, users, people, clocks)
    pieces = [""] * (len(columns) * len(positions))
    for number, column in enumerate(columns):
        pieces[number :: len(columns)] = [column] * len(positions) if isinstance(column, str) else column

    bad: dict[str, int] = {}
    for turn, place in zip(turns.tolist(), (bad_positions - low).tolist(), strict=True):
        at = slice(place * len(columns), (place + 1) * len(columns))
        code, line = corrupt("".join(pieces[at])[:-1], turn, config)
        pieces[at] = [line + "\n"] + [""] * (len(columns) - 1)
        bad[code] = bad.get(code, 0) + 1
    return Chunk(
        # A lone surrogate stands for the byte of an invalid sequence.
        "".join(pieces).encode("utf-8", "surrogateescape"),
        len(positions),
        bad,
        int(np.count_nonzero((received - occurred >= LEAST_LATE_SECONDS * _MICRO) & good)),
        np.unique(users[good]),
        occurred[good],
    )


def _late(config: SimulatorConfig, low: int, high: int, good: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    bad = bad_records(config)
    first, last = low - bad.before(low), high - bad.before(high)
    _, numbers = late_records(config).chosen(first, last)
    late = np.zeros(len(good), bool)
    late[np.flatnonzero(good)[numbers - first]] = True
    return late


def _times(config: SimulatorConfig, positions: Ints, draws: Draws, late: npt.NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """(occurred, received) in microseconds from the start; received is in order, occurred is before it."""
    span = config.days * _DAY
    received = ((positions + draws.unit("arrival")) * (span / config.events)).astype(np.int64)
    received = np.minimum(received, span - 1)
    delay = (draws.unit("delay") ** 2) ** 2 * (config.jitter_seconds * _MICRO)
    # Nothing occurs before the start: where there is less time than the delay, any part of it.
    delay = np.where(delay > received, draws.unit("short") * received, delay)
    least, most = LEAST_LATE_SECONDS * _MICRO, np.minimum(received, MOST_LATE_SECONDS * _MICRO)
    delay = np.where(late, least + draws.unit("late") * (most - least), delay)
    return received - delay.astype(np.int64), received


def _clock(config: SimulatorConfig, offsets: Ints, days: Texts) -> list[list[str]]:
    """RFC 3339 without the `Z`, in four columns of text: a table look-up costs a tenth of formatting."""
    start = config.start.astimezone(UTC)
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    day, rest = np.divmod(offsets + (start - midnight) // timedelta(microseconds=1), _DAY)
    minute, rest = np.divmod(rest, 60 * _MICRO)
    milli, micro = np.divmod(rest, 1000)
    return [days[day].tolist(), _MINUTES[minute].tolist(), _MILLIS[milli].tolist(), _MICROS[micro].tolist()]


def _columns(
    config: SimulatorConfig,
    positions: Ints,
    draws: Draws,
    users: Ints,
    people: Callable[[int], Person],
    clocks: tuple[list[list[str]], list[list[str]]],
) -> list[Column]:
    kinds = draws.below("type", len(_TYPES))
    heads = kinds * len(_STATUSES) + draws.below("status", len(_STATUSES))
    user, device, card, currency = _user_columns(draws, users, people, _WITH_CARD[kinds])
    goods, cents = _goods_columns(draws, kinds)
    units, rest = np.divmod(cents, 100)
    return [
        f'{{"event_id":"{config.partner}-',
        _hexadecimal(draws.bits("event_id")),
        '","sequence":',
        list(map(str, (positions + _FIRST_SEQUENCE).tolist())),
        ',"occurred_at":"',
        *clocks[0],
        'Z","received_at":"',
        *clocks[1],
        _HEADS[heads].tolist(),
        user,
        device,
        card,
        *goods,
        _SIGNS[kinds].tolist(),
        list(map(str, units.tolist())),
        _CENTS[rest].tolist(),
        currency,
        *_balance_columns(draws),
        _TAGS[draws.below("tags", len(_TAGS))].tolist(),
        _ATTRIBUTES[draws.below("attributes", len(_ATTRIBUTES))].tolist(),
    ]


def _hexadecimal(bits: npt.NDArray[np.uint64]) -> list[str]:
    text = bits.astype(">u8").tobytes().hex()
    return [text[at : at + 16] for at in range(0, len(text), 16)]


def _user_columns(
    draws: Draws, users: Ints, people: Callable[[int], Person], with_card: npt.NDArray[np.bool_]
) -> list[list[str]]:
    distinct, places = np.unique(users, return_inverse=True)
    persons = [people(number) for number in distinct.tolist()]
    # One table for both forms; the second half of it is the other one.
    forms = _texts([one.full for one in persons] + [one.short for one in persons])
    devices = _texts([one.devices[0] for one in persons] + [one.devices[1] for one in persons] + [""])
    cards = _texts([one.card for one in persons] + [""])
    currencies = _texts([f',"currency":"{one.currency}"' for one in persons])
    short, device = draws.below("short_user", 2), draws.below("device", 5)
    return [
        forms[places + short * len(persons)].tolist(),
        devices[np.where(device < 2, places + device * len(persons), -1)].tolist(),
        cards[np.where(with_card, places, -1)].tolist(),
        currencies[places].tolist(),
    ]


def _goods_columns(draws: Draws, kinds: Ints) -> tuple[list[Column], Ints]:
    """(merchant, first, second, third item, end of the list), and the amount in cents: the sum of the items."""
    counts = np.where(_WITH_GOODS[kinds], _ITEM_COUNTS[draws.below("items", len(_ITEM_COUNTS))], 0)
    items = [np.where(counts > nth, 1 + draws.below(f"item/{nth}", len(_ITEMS)), 0) for nth in range(3)]
    merchants = _MERCHANTS[draws.below("merchant", len(_MERCHANTS))]
    cents = _ITEM_CENTS[items[0]] + _ITEM_CENTS[items[1]] + _ITEM_CENTS[items[2]]
    other = 1 + (draws.unit("amount") ** 2 * 500_000).astype(np.int64)
    return (
        [
            np.where(counts > 0, merchants, "").tolist(),
            _FIRST_ITEMS[items[0]].tolist(),
            _MORE_ITEMS[items[1]].tolist(),
            _MORE_ITEMS[items[2]].tolist(),
            np.where(counts > 0, "]", _NO_GOODS[kinds]).tolist(),
        ],
        np.where(counts > 0, cents, other),
    )


def _balance_columns(draws: Draws) -> list[Column]:
    """Balances: 3 % null, 5 % overdrawn, and 1 in 1,000 with more digits than a float holds."""
    kind = draws.below("balance_kind", 1000)
    cents = 100 + (draws.unit("balance") ** 2 * 2_000_000).astype(np.int64)
    cents = np.where(kind == 999, 10**16 + cents, cents)
    units, rest = np.divmod(cents, 100)
    null = kind < 30
    return [
        np.where(null, ',"balance":null', np.where(kind < 80, ',"balance":-', ',"balance":')).astype(object).tolist(),
        ["" if gone else str(unit) for gone, unit in zip(null.tolist(), units.tolist(), strict=True)],
        np.where(null, "", _CENTS[rest]).tolist(),
    ]
