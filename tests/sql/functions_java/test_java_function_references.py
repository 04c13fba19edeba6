"""The tables of cases against implementations by others: nothing here runs Java."""

import hashlib
import ipaddress
import itertools
import json
import math
import statistics
import unicodedata
import urllib.parse
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from java_function_references import network, normalized, passes_luhn
from java_function_tables import SOURCES, Case, index, of

from blocks.core.keys import KeyRing
from blocks.core.masks.keyed import canonical_text, hmac_function
from blocks.core.masks.text import Mask, MaskKeepLeft, MaskKeepRight, MaskLeft, MaskRight

RESOURCES = SOURCES / "src" / "main" / "resources" / "blocks" / "udf"


def _check(name: str, reference: Callable[..., Any], but: Callable[[Case], bool] = lambda case: False) -> None:
    """Holds every case that has no null among its arguments, and no error, against a reference."""
    checked = 0
    for case in of(name):
        if not case.error and None not in case.arguments and not but(case):
            assert reference(*case.arguments) == case.result, case
            checked += 1
    assert checked > 2


def test_every_function_has_a_table_and_every_table_a_function() -> None:
    folder = SOURCES / "src" / "test" / "resources" / "functions"
    assert sorted(path.stem for path in folder.glob("*.json")) == sorted(index())


def test_the_masks_are_those_of_the_library() -> None:
    methods = {"mask_left": MaskLeft, "mask_right": MaskRight, "mask_keep_left": MaskKeepLeft}

    def masked(name: str, arguments: list[Any]) -> str:
        text, *rest = arguments
        counted = name != "mask"
        options = dict(zip(("upper", "lower", "digit", "other"), rest[counted:], strict=False))
        kind = {**methods, "mask": Mask, "mask_keep_right": MaskKeepRight}[name]
        method = kind(**({"n": rest[0]} if counted else {}), **options)
        import pyarrow as pa

        return method.kernel(pa.string(), "pii.name", KeyRing({}))(pa.array([text]))[0].as_py()

    checked = 0
    for name in ("mask", "mask_left", "mask_right", "mask_keep_left", "mask_keep_right"):
        for case in of(name):
            # The library's methods of n characters take n from 1 on, and no NULL for it.
            wrong = case.error or case.arguments[0] is None or case.arguments[1:2] in ([None], [0])
            if not wrong or (name == "mask" and case.arguments[0] and not case.error):
                assert masked(name, case.arguments) == case.result, case
                checked += 1
    assert checked > 25


def test_the_codes_in_java_tests_are_those_of_the_mask_hmac(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "test-only key, 32 bytes or longer")
    keys = KeyRing({"main": "env:A_KEY"})
    test = (SOURCES / "src" / "test" / "java" / "blocks" / "udf" / "HmacSha256Test.java").read_text()
    for domain, text in (("pii.email", "  ADA@Example.COM "), ("pii.address", "Große  STRAẞE\u00a07")):
        code = hmac_function(keys, "main", domain)(canonical_text(text).encode()).hex()
        assert f'"main:{code}"' in test


def test_sha2_is_that_of_hashlib() -> None:
    def sha2(value: str | bytes, bits: int = 256) -> str:
        return hashlib.new(f"sha{bits}", value.encode() if isinstance(value, str) else value).hexdigest()

    _check("sha2", sha2)


def test_case_folding_is_that_of_python_for_every_code_point() -> None:
    table = {}
    for line in (RESOURCES / "casefolding.txt").read_text().splitlines():
        if not line.startswith("#"):
            point, *folded = (int(one, 16) for one in line.split())
            table[point] = "".join(map(chr, folded))
    for point in itertools.chain(range(0x80, 0xD800), range(0xE000, 0x110000)):
        if unicodedata.category(chr(point)) != "Cn":
            assert table.get(point, chr(point)) == chr(point).casefold()


def test_text_normalize_is_what_unicodedata_makes_of_it() -> None:
    _check("text_normalize", normalized)


def test_domains_are_those_of_the_idna_codec() -> None:
    _check(
        "email_domain",
        lambda email: email.strip().rpartition("@")[2].lower().encode("idna").decode(),
        but=lambda case: case.result is None,
    )


def test_url_parts_are_those_of_urllib() -> None:
    split = urllib.parse.urlsplit
    none = {"url_host": "hostname", "url_port": "port", "url_protocol": "scheme", "url_path": "path"}
    for name, attribute in none.items():

        def part(url: str, attribute: str = attribute) -> Any:
            found = getattr(split(url.strip()), attribute)
            # urllib leaves out the brackets of IPv6.
            return f"[{found}]" if attribute == "hostname" and found and ":" in found else found

        _check(name, part, but=lambda case: case.result is None)


def test_url_encode_and_decode_are_those_of_urllib() -> None:
    _check("url_encode", lambda text: urllib.parse.quote(text, safe=""))
    _check("url_decode", urllib.parse.unquote, but=lambda case: case.result is None)
    _check(
        "url_param",
        lambda url, name: dict(
            reversed(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query, keep_blank_values=True))
        ).get(name),
        but=lambda case: case.result is None,
    )


def test_networks_are_those_of_ipaddress() -> None:
    # Python writes no dots in IPv6, and takes zones.
    _check("ip_network", network, but=lambda case: "ffff" in case.arguments[0] or "%" in case.arguments[0])


def test_private_addresses_are_those_of_ipaddress() -> None:
    def private(ip: str) -> bool | None:
        try:
            address = ipaddress.ip_address(ip)
        except ValueError:
            return None
        return (getattr(address, "ipv4_mapped", None) or address).is_private

    _check("ip_is_private", private)


def test_phone_numbers_are_those_of_the_port_to_python() -> None:
    phonenumbers = pytest.importorskip("phonenumbers")

    def parsed(text: str, region: str | None = None) -> Any:
        try:
            number = phonenumbers.parse(text, region and region.upper())
        except phonenumbers.NumberParseException:
            return None
        return number if phonenumbers.is_valid_number(number) else None

    def written(*arguments: str) -> str | None:
        number = parsed(*arguments)
        return number and phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

    _check("phone_normalize", written)
    _check("phone_region", lambda *arguments: (n := parsed(*arguments)) and phonenumbers.region_code_for_number(n))


def _at(json_text: str, path: str) -> Any:
    """json_get by a tree, for paths whose names need no escape."""
    try:
        value = json.loads(json_text, object_pairs_hook=lambda pairs: dict(reversed(pairs)), parse_float=str)
    except (ValueError, RecursionError):
        return None
    for step in path.replace("['", ".").replace('["', ".").replace("']", "").replace('"]', "")[1:].split("."):
        for part in filter(None, step.replace("]", "").split("[")):
            try:
                value = value[int(part)] if isinstance(value, list) else value[part]
            except (KeyError, IndexError, TypeError):
                return None
    if isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return value if value is None or isinstance(value, str) else json.dumps(value)


def test_json_values_are_those_of_the_json_module() -> None:
    # Python's json takes NaN and half surrogates.
    odd = ("NaN", '\\ud83d"', "a'b")
    _check("json_get", _at, but=lambda case: any(one in case.arguments[0] for one in odd))


def test_levenshtein_is_that_of_the_recursion() -> None:
    def distance(left: str, right: str, limit: int | None = None) -> int:
        table = list(range(len(right) + 1))
        for row, one in enumerate(left, 1):
            above, table = table, [row]
            for column, other in enumerate(right, 1):
                table.append(min(above[column] + 1, table[-1] + 1, above[column - 1] + (one != other)))
        return table[-1] if limit is None or table[-1] <= limit else limit + 1

    _check("levenshtein", distance)


def test_jaro_winkler_is_that_of_rapidfuzz() -> None:
    distance = pytest.importorskip("rapidfuzz.distance")
    for case in of("jaro_winkler"):
        if not case.error and None not in case.arguments:
            assert case.result == pytest.approx(distance.JaroWinkler.similarity(*case.arguments), abs=1e-12)


def test_haversine_is_the_angle_between_unit_vectors() -> None:
    def vector(latitude: float, longitude: float) -> np.ndarray:
        north, east = math.radians(latitude), math.radians(longitude)
        return np.array([math.cos(north) * math.cos(east), math.cos(north) * math.sin(east), math.sin(north)])

    for case in of("haversine_km"):
        if case.result is not None:
            one, other = vector(*case.arguments[:2]), vector(*case.arguments[2:])
            angle = math.atan2(float(np.linalg.norm(np.cross(one, other))), float(one @ other))
            assert case.result == pytest.approx(6371.0088 * angle, rel=1e-9, abs=1e-8)


def test_luhn_check_is_that_of_the_doubled_digits() -> None:
    _check("luhn_check", passes_luhn)


def _table(name: str) -> list[list[str]]:
    lines = (RESOURCES / name).read_text().splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]


def test_countries_are_those_of_iso_3166() -> None:
    pycountry = pytest.importorskip("pycountry")
    ours = {(alpha2, alpha3, numeric) for alpha2, alpha3, numeric, _ in _table("countries.tsv")}
    assert ours == {(one.alpha_2, one.alpha_3, one.numeric) for one in pycountry.countries}
    assert len({name for *_, name in _table("countries.tsv")}) == len(ours)


def test_currencies_are_those_of_iso_4217() -> None:
    pycountry = pytest.importorskip("pycountry")
    ours = {(code, numeric) for code, numeric, *_ in _table("currencies.tsv")}
    assert ours == {(one.alpha_3, one.numeric) for one in pycountry.currencies}
    assert {units for _, _, units, _ in _table("currencies.tsv")} == {"-", "0", "2", "3", "4"}


def _columns(case: Case) -> list[list[Any]]:
    return [list(column) for column in zip(*(row for row in case.rows if None not in row), strict=True)]


def _finite(case: Case) -> bool:
    return not case.error and all(math.isfinite(one) for column in _columns(case) for one in column)


def test_correlation_is_that_of_statistics() -> None:
    for case in of("correlation"):
        if _finite(case) and case.result is not None and max(map(abs, _columns(case)[0])) < 1e100:
            assert case.result == pytest.approx(statistics.correlation(*_columns(case)), abs=1e-15)


def test_weighted_averages_are_those_of_exact_fractions() -> None:
    from fractions import Fraction

    for case in of("weighted_avg"):
        if _finite(case) and case.result is not None:
            values, weights = ([Fraction(one) for one in column] for column in _columns(case))
            exact = sum(one * weight for one, weight in zip(values, weights, strict=True)) / sum(weights)
            assert case.result == float(exact)


def test_entropy_is_that_of_the_definition() -> None:
    for case in of("entropy"):
        if case.result is not None:
            shares = [count / len(case.rows) for count in Counter(row[0] for row in case.rows).values()]
            assert case.result == pytest.approx(-sum(one * math.log2(one) for one in shares), abs=1e-15)


def test_percentiles_are_within_one_percent_of_those_of_numpy() -> None:
    for case in of("percentile"):
        if _finite(case) and case.result is not None:
            values, quantiles = _columns(case)
            exact = float(np.quantile(values, quantiles[0], method="lower"))
            assert case.result == pytest.approx(exact, rel=0.01)


def test_top_k_is_that_of_a_counter_with_ties_by_value() -> None:
    for case in of("top_k"):
        rows = [row for row in case.rows if None not in row]
        if rows and not case.error and not any(isinstance(row[0], float) for row in rows):
            counts = Counter(row[0] for row in rows)
            ranked = sorted(counts, key=lambda value: (-counts[value], value))
            assert case.result == ranked[: rows[0][1]]
