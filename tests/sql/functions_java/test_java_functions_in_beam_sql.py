"""The cases of the functions in Java and Scala, through Beam SQL: one query calls them all."""

import ast
import decimal
import hashlib
import ipaddress
import math
import re
import urllib.parse
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from java_function_references import network, normalized, passes_luhn
from java_function_tables import SOURCES, Case, arrow_type, cases, every_code_point, index

from blocks.core.keys import KeyRing
from blocks.core.masks.keyed import Hmac
from blocks.core.masks.text import Mask

pytestmark = pytest.mark.jvm
_PYTHON = re.compile(r"CAST\(| AS DOUBLE\)")


def _run(query: str, table: pa.Table, output: pa.Schema, collect: bool = False) -> dict[str, list[bytes]]:
    from blocks.engines.sql_service import SqlStage

    found: dict[str, list[bytes]] = {"rows": [], "errors": []}
    messages = [batch.serialize().to_pybytes() for batch in table.to_batches()]
    _FOUND.clear()
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        rows = pipeline | beam.Create(messages)
        stage = SqlStage(query, {"PCOLLECTION": table.schema}, output, collect=collect)
        for name, side in ({"PCOLLECTION": rows} | stage).items():
            side | f"Keep {name}" >> beam.Map(_keep, name)
    for name, content in _FOUND:
        found[name].append(content)
    return found


_FOUND: list[tuple[str, bytes]] = []


def _keep(content: bytes, name: str) -> None:
    _FOUND.append((name, content))


def _rows(query: str, table: pa.Table, output: pa.Schema) -> list[dict[str, Any]]:
    messages = _run(query, table, output)["rows"]
    return [row for one in messages for row in pa.ipc.read_record_batch(pa.py_buffer(one), output).to_pylist()]


def _forms(kind: str) -> dict[tuple[str, tuple[str, ...]], list[Case]]:
    """The cases by function and types: each such call is a column of the query."""
    forms: dict[tuple[str, tuple[str, ...]], list[Case]] = {}
    for one in cases(kind):
        if not one.error:
            forms.setdefault((one.function, one.types), []).append(one)
    return forms


def _columns(forms: Iterable[tuple[str, tuple[str, ...]]]) -> list[list[str]]:
    return [[f"c{number}_{place}" for place in range(len(types))] for number, (_, types) in enumerate(forms)]


def _schema(forms: Iterable[tuple[str, tuple[str, ...]]]) -> pa.Schema:
    fields = [pa.field("id", pa.int64())]
    for names, (_, types) in zip(_columns(forms), forms, strict=True):
        fields += [pa.field(name, arrow_type(sql)) for name, sql in zip(names, types, strict=True)]
    return pa.schema(fields)


def _output(forms: dict[tuple[str, tuple[str, ...]], list[Case]]) -> pa.Schema:
    results = [pa.field(f"r{number}", arrow_type(some[0].returns)) for number, some in enumerate(forms.values())]
    return pa.schema([pa.field("id", pa.int64()), *results])


def _calls(forms: dict[tuple[str, tuple[str, ...]], list[Case]]) -> str:
    columns = _columns(forms)
    calls = [f"{name}({', '.join(columns[number])}) AS r{number}" for number, (name, _) in enumerate(forms)]
    return ", ".join(["id", *calls])


def _results(kind: str) -> dict[tuple[str, int], Any]:
    """(function, number of the case) to what Beam SQL gives."""
    forms = _forms(kind)
    rows: list[dict[str, Any]] = []
    for names, some in zip(_columns(forms), forms.values(), strict=True):
        for case_id, one in enumerate(some):
            rows += [{"id": case_id, **dict(zip(names, row, strict=True))} for row in one.rows]
    if kind == "scalar":
        merged: dict[int, dict[str, Any]] = {}
        for row in rows:
            merged.setdefault(row["id"], {}).update(row)
        rows = list(merged.values())
    table = pa.Table.from_pylist(rows, _schema(forms))
    query = f"SELECT {_calls(forms)} FROM PCOLLECTION" + (" GROUP BY id" if kind == "aggregate" else "")
    found = {row["id"]: row for row in _rows(query, table, _output(forms))}
    return {
        (one.function, one.number): found[case_id][f"r{number}"]
        for number, some in enumerate(forms.values())
        for case_id, one in enumerate(some)
    }


@pytest.fixture(scope="module")
def scalar_results() -> dict[tuple[str, int], Any]:
    return _results("scalar")


@pytest.fixture(scope="module")
def aggregate_results() -> dict[tuple[str, int], Any]:
    return _results("aggregate")


def _same(expected: Any, found: Any) -> bool:
    if isinstance(expected, float) and isinstance(found, float):
        return expected == found or (math.isnan(expected) and math.isnan(found))
    if isinstance(expected, list):
        return len(expected) == len(found) and all(map(_same, expected, found))
    return type(expected) is type(found) and bool(expected == found)


def _names(kind: str) -> list[str]:
    return [name for name, one in index().items() if one["kind"] == kind]


def _differences(name: str, kind: str, results: dict[tuple[str, int], Any]) -> Iterator[str]:
    for one in cases(kind):
        if one.function == name and not one.error and not _same(one.result, results[name, one.number]):
            yield f"{one.rows} gives {results[name, one.number]!r} and not {one.result!r}"


def test_the_index_in_the_archive_is_the_committed_one() -> None:
    from blocks.engines.sql_service import ready_jar

    with zipfile.ZipFile(ready_jar()) as archive:
        built = archive.read("META-INF/blocks/functions.json").decode()
    committed = (SOURCES / "index.json").read_text()
    assert built == committed, "copy META-INF/blocks/functions.json of the archive to java_udfs/index.json"


@pytest.mark.parametrize("name", _names("scalar"))
def test_a_scalar_function_gives_in_beam_sql_what_it_gives_in_java(
    name: str, scalar_results: dict[tuple[str, int], Any]
) -> None:
    assert list(_differences(name, "scalar", scalar_results)) == []


@pytest.mark.parametrize("name", _names("aggregate"))
def test_an_aggregate_gives_in_beam_sql_what_it_gives_in_java(
    name: str, aggregate_results: dict[tuple[str, int], Any]
) -> None:
    assert list(_differences(name, "aggregate", aggregate_results)) == []


def _examples(kind: str) -> Sequence[tuple[str, dict[str, str]]]:
    return [(name, one) for name in _names(kind) for one in index()[name]["examples"]]


def test_the_examples_of_scalar_functions_hold() -> None:
    examples = _examples("scalar")
    held = [
        f"{one['call']} IS NULL" if one["result"] == "NULL" else f"{one['call']} = {one['result']}"
        for _, one in examples
    ]
    output = pa.schema([pa.field(f"e{number}", pa.bool_()) for number in range(len(examples))])
    query = "SELECT " + ", ".join(f"{text} AS e{number}" for number, text in enumerate(held)) + " FROM PCOLLECTION"
    (row,) = _rows(query, pa.table({"id": pa.array([1], pa.int64())}), output)
    assert [text for text, truth in zip(held, row.values(), strict=True) if truth is not True] == []


def test_the_examples_of_aggregates_hold() -> None:
    for name, one in _examples("aggregate"):
        rows = ast.literal_eval("[" + _PYTHON.sub("", one["from"].split("AS t (")[0].strip()[8:-1]) + "]")
        names = one["from"].rsplit("(", 1)[1].rstrip(")").split(", ")
        columns = zip(*(row if isinstance(row, tuple) else (row,) for row in rows), strict=True)
        table = pa.table(dict(zip(names, columns, strict=True)))
        expected = ast.literal_eval(one["result"].removeprefix("ARRAY"))
        output = pa.schema([pa.field("found", pa.infer_type([expected]))])
        assert _rows(f"SELECT {one['call']} AS found FROM PCOLLECTION", table, output) == [{"found": expected}], name


def test_numbers_of_any_type_are_taken_where_a_function_takes_another() -> None:
    table = pa.table(
        {
            "small": pa.array([1, 2, 2], pa.int8()),
            "whole": pa.array([3, 1, 3], pa.int32()),
            "single": pa.array([0.5, 1.5, 0.5], pa.float32()),
            "exact": pa.array([decimal.Decimal("1.50"), decimal.Decimal("2"), None], pa.decimal128(38, 9)),
        }
    )
    calls = {
        "top_k(whole, 1)": (pa.list_(pa.int64()), [3]),
        "collect_list(small, 2)": (pa.list_(pa.int64()), [1, 2]),
        "collect_set(single)": (pa.list_(pa.float64()), [0.5, 1.5]),
        "percentile(whole, 1)": (pa.float64(), 3.0),
        "percentile(exact, 0.0)": (pa.float64(), 1.5),
        "weighted_avg(whole, small)": (pa.float64(), 2.2),
        "weighted_avg(exact, single)": (pa.float64(), 1.875),
        "approx_count_distinct(small)": (pa.int64(), 2),
        "first_by(whole, small)": (pa.int64(), 3),
        "max(haversine_km(small, single, whole, 0))": (pa.float64(), pytest.approx(228.7, rel=0.01)),
        "max(mask_left('abc', small))": (pa.string(), "xxc"),
    }
    output = pa.schema([pa.field(f"r{number}", kind) for number, (kind, _) in enumerate(calls.values())])
    query = "SELECT " + ", ".join(f"{call} AS r{n}" for n, call in enumerate(calls)) + " FROM PCOLLECTION"
    (row,) = _rows(query, table, output)
    assert list(row.values()) == [expected for _, expected in calls.values()]


def test_large_groups_over_many_batches_agree_with_numpy() -> None:
    random = np.random.default_rng(7)
    size = 30_000
    keys = random.integers(0, 3, size)
    x = np.round(np.exp(random.normal(0, 3, size)), 6)
    y = x * 0.5 + random.normal(0, 40, size)
    users = random.integers(0, 9_000, size)
    whole = pa.table({"k": keys, "x": x, "y": y, "u": users, "lat": y % 90, "lon": x % 180})
    table = pa.Table.from_batches(whole.to_batches(max_chunksize=1_000))
    output = pa.schema(
        [
            pa.field("k", pa.int64()),
            *(pa.field(name, pa.float64()) for name in ("p", "c", "w", "e", "g")),
            pa.field("d", pa.int64()),
            pa.field("t", pa.list_(pa.int64())),
        ]
    )
    query = """SELECT k, percentile(x, 0.9) AS p, correlation(x, y) AS c, weighted_avg(y, x) AS w, entropy(u) AS e,
        geo_spread(lat, lon) AS g, approx_count_distinct(u) AS d, top_k(u, 5) AS t FROM PCOLLECTION GROUP BY k"""
    found = _rows(query, table, output)
    assert sorted(row["k"] for row in found) == [0, 1, 2]
    for row in found:
        here = keys == row["k"]
        assert row["p"] == pytest.approx(np.quantile(x[here], 0.9, method="lower"), rel=0.01)
        assert row["c"] == pytest.approx(np.corrcoef(x[here], y[here])[0, 1], rel=1e-9)
        assert row["w"] == float(_weighted(y[here], x[here]))
        values, counts = np.unique(users[here], return_counts=True)
        shares = counts / counts.sum()
        assert row["e"] == pytest.approx(float(-(shares * np.log2(shares)).sum()), rel=1e-12)
        assert row["d"] == pytest.approx(len(values), rel=0.04)
        order = np.lexsort((values, -counts))
        assert row["t"] == values[order[:5]].tolist()
        assert row["g"] == pytest.approx(_spread(y[here] % 90, x[here] % 180), rel=1e-6)


def _weighted(values: np.ndarray, weights: np.ndarray) -> Fraction:
    pairs = [(Fraction(float(v)), Fraction(float(w))) for v, w in zip(values, weights, strict=True)]
    return sum((v * w for v, w in pairs), Fraction()) / sum((w for _, w in pairs), Fraction())


def _spread(latitude: np.ndarray, longitude: np.ndarray) -> float:
    north, east = np.radians(latitude), np.radians(longitude)
    places = np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)])
    return float(6371.0088 * np.sqrt(((places - places.mean(axis=1, keepdims=True)) ** 2).sum(axis=0).mean()))


def test_random_texts_give_what_other_implementations_give() -> None:
    distance = pytest.importorskip("rapidfuzz.distance")
    random = Random(11)
    signs = [
        "a",
        "b",
        "A",
        "É",
        "e\u0301",
        "ß",
        "ς",
        "Σ",
        "ﬁ",
        "İ",
        "😀",
        "ａ",
        "1",
        "٣",
        " ",
        "%",
        "+",
        "\u3000",
        "가",
        "ि",
    ]
    texts = ["".join(random.choices(signs, k=random.randrange(9))) for _ in range(1_500)]
    others = [random.choice([text[::-1], text[1:], text + "a", texts[0]]) for text in texts]
    ips = [str(ipaddress.ip_address(random.getrandbits(random.choice([32, 128])))) for _ in texts]
    prefixes = [random.randrange(33) for _ in texts]
    cards = ["".join(random.choices("0123456789- ", k=random.randrange(6))) for _ in texts]
    table = pa.table({"t": texts, "o": others, "ip": ips, "bits": prefixes, "card": cards})
    edits = list(map(distance.Levenshtein.distance, texts, others))
    alike = list(map(distance.JaroWinkler.similarity, texts, others))
    calls: dict[str, tuple[pa.DataType, list[Any]]] = {
        "levenshtein(t, o)": (pa.int32(), edits),
        "levenshtein(t, o, 2)": (pa.int32(), [min(one, 3) for one in edits]),
        "jaro_winkler(t, o)": (pa.float64(), list(map(pytest.approx, alike))),
        "text_normalize(t)": (pa.string(), list(map(normalized, texts))),
        "url_encode(t)": (pa.string(), [urllib.parse.quote(text, safe="") for text in texts]),
        "url_decode(url_encode(t))": (pa.string(), texts),
        "sha2(t, 512)": (pa.string(), [hashlib.sha512(text.encode()).hexdigest() for text in texts]),
        "ip_network(ip, bits)": (pa.string(), list(map(network, ips, prefixes))),
        "luhn_check(card)": (pa.bool_(), list(map(passes_luhn, cards))),
        "mask(t)": (pa.string(), Mask().kernel(pa.string(), "pii.name", KeyRing({}))(pa.array(texts)).to_pylist()),
    }
    output = pa.schema([pa.field(f"r{number}", kind) for number, (kind, _) in enumerate(calls.values())])
    query = "SELECT " + ", ".join(f"{call} AS r{n}" for n, call in enumerate(calls)) + " FROM PCOLLECTION"
    found = _rows(query, table, output)
    for number, (call, (_, expected)) in enumerate(calls.items()):
        assert [row[f"r{number}"] for row in found] == expected, call


def test_a_code_in_sql_is_that_of_the_mask_hmac(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("test-only key, 32 bytes or longer\n")
    uri = f"file:{secret}"
    emails = pa.array(["ada@example.com", " ADA@Example.com", None, "Große STRAẞE"])
    output = pa.schema([pa.field("code", pa.string())])
    query = f"SELECT hmac_sha256(email, 'main', 'pii.email', '{uri}') AS code FROM PCOLLECTION"
    found = [row["code"] for row in _rows(query, pa.table({"email": emails}), output)]
    kernel = Hmac(key="main").kernel(pa.string(), "pii.email", KeyRing({"main": uri}))
    assert found == kernel(emails).to_pylist()


def test_a_wrong_argument_makes_a_reject_that_names_the_function_and_shows_no_value() -> None:
    table = pa.table({"card": ["4111-2222"], "n": pa.array([-1], pa.int64())})
    output = pa.schema([pa.field("masked", pa.string())])
    found = _run("SELECT mask_left(card, n) AS masked FROM PCOLLECTION", table, output, collect=True)
    assert found["rows"] == [] or not any(len(pa.ipc.read_record_batch(pa.py_buffer(o), output)) for o in found["rows"])
    (error,) = found["errors"]
    row = pa.ipc.open_stream(error).read_all().select(["function", "message"]).to_pylist()[0]
    assert row["function"] == "mask_left"
    assert "0 or more" in row["message"]
    assert "4111" not in row["message"]


def test_mask_is_the_librarys_mask_for_every_code_point() -> None:
    text = every_code_point()
    # Rows of a size that texts have.
    table = pa.table({"text": [text[at : at + 1000] for at in range(0, len(text), 1000)]})
    masked = pa.field("masked", pa.string())
    expected = Mask().kernel(pa.string(), "pii.name", KeyRing({}))(table["text"].combine_chunks()).to_pylist()
    found = _rows(
        "SELECT text, mask(text) AS masked FROM PCOLLECTION", table, pa.schema([table.schema.field(0), masked])
    )
    assert {row["text"]: row["masked"] for row in found} == dict(zip(table["text"].to_pylist(), expected, strict=True))
