"""What is wrong with a bad record: every reject code, in several variants.

    malformed_json   truncated, missing_comma, trailing_text, invalid_utf8 (a byte 0xFF in the user's name),
                     duplicate_key (`amount` twice), nan (`amount` is NaN)
    wrong_type       text_for_decimal, object_for_decimal, text_for_integer, list_for_text, text_for_object
    missing_field    event_id, user_id, amount
    unknown_field    top_level, nested (in `user`); a reader that is not strict takes these as rows
    bad_event_time   words, impossible_date, empty
    too_large        padding: as many bytes as the config says, else a good record
    too_deep         arrays, objects: as deep as the config says, else a good record

Except for what its code says, a bad record is a good one. Turns go through the codes, and within a code through its
variants.
"""

import re
from collections.abc import Callable
from types import MappingProxyType

from blocks.testing.simulator.config import SimulatorConfig

Fault = Callable[[str, SimulatorConfig], str]

_AMOUNT = re.compile(r'"amount":-?[0-9.]+')
_OCCURRED = re.compile(r'"occurred_at":"[^"]*"')
_USER = re.compile(r'"user":\{(?:[^{}]|\{[^{}]*\})*\}')
_ATTRIBUTES = re.compile(r',"attributes":\{[^{}]*\}')


def _replace(pattern: str, replacement: str) -> Fault:
    compiled = re.compile(pattern)
    # A function, so that nothing in the replacement is an escape.
    return lambda line, config: compiled.sub(lambda _: replacement, line, count=1)


def _with_attributes(line: str, attributes: str) -> str:
    return f'{_ATTRIBUTES.sub("", line)[:-1]},"attributes":{attributes}}}'


def _padding(line: str, config: SimulatorConfig) -> str:
    empty = _with_attributes(line, '{"padding":""}')
    return _with_attributes(line, f'{{"padding":"{"x" * (config.too_large_bytes - len(empty.encode()))}"}}')


_FAULTS: dict[str, dict[str, Fault]] = {
    "malformed_json": {
        "truncated": lambda line, config: line[: len(line) // 2],
        "missing_comma": _replace(',"status"', ' "status"'),
        "trailing_text": lambda line, config: line + " {",
        "invalid_utf8": _replace('"name":"', '"name":"\udcff'),
        "duplicate_key": lambda line, config: line[:-1] + ',"amount":0.00}',
        "nan": _replace(_AMOUNT.pattern, '"amount":NaN'),
    },
    "wrong_type": {
        "text_for_decimal": _replace(_AMOUNT.pattern, '"amount":"a lot"'),
        "object_for_decimal": _replace(_AMOUNT.pattern, '"amount":{"value":1.00}'),
        "text_for_integer": _replace('"sequence":[0-9]+', '"sequence":"first"'),
        "list_for_text": _replace('"currency":"[A-Z]+"', '"currency":["EUR"]'),
        "text_for_object": _replace(_USER.pattern, '"user":"unknown"'),
    },
    "missing_field": {
        "event_id": _replace('"event_id":"[^"]*",', ""),
        "user_id": _replace('"user":\\{"id":"[^"]*",', '"user":{'),
        "amount": _replace("," + _AMOUNT.pattern, ""),
    },
    "unknown_field": {
        "top_level": lambda line, config: '{"simulated":true,' + line[1:],
        "nested": _replace('"user":\\{', '"user":{"loyalty":{"tier":"gold"},'),
    },
    "bad_event_time": {
        "words": _replace(_OCCURRED.pattern, '"occurred_at":"the day before yesterday"'),
        "impossible_date": _replace(_OCCURRED.pattern, '"occurred_at":"2026-02-30T25:61:00.000000Z"'),
        "empty": _replace(_OCCURRED.pattern, '"occurred_at":""'),
    },
    "too_large": {"padding": _padding},
    "too_deep": {
        "arrays": lambda line, config: _with_attributes(
            line, '{"deep":' + "[" * config.depth + "]" * config.depth + "}"
        ),
        "objects": lambda line, config: _with_attributes(
            line, '{"deep":' + '{"d":' * config.depth + "0" + "}" * config.depth + "}"
        ),
    },
}

VARIANTS = MappingProxyType({code: tuple(faults) for code, faults in _FAULTS.items()})


def fault_of(turn: int, config: SimulatorConfig) -> tuple[str, str]:
    """(code, variant) of the bad record of a number, counted from 0."""
    code = config.codes[turn % len(config.codes)]
    variants = VARIANTS[code]
    return code, variants[turn // len(config.codes) % len(variants)]


def corrupt(line: str, turn: int, config: SimulatorConfig) -> tuple[str, str]:
    """(code, bad record) from a good record without its line end.

    A lone surrogate in the result stands for a byte that is not UTF-8 (`surrogateescape`).
    """
    code, variant = fault_of(turn, config)
    return code, _FAULTS[code][variant](line, config)
