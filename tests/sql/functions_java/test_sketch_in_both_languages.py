"""The buckets of DDSketch: `percentile` of SQL, in Java, has those of `approx_percentile`, in Python."""

import math
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pytest

from blocks.aggregating.exact import ddsketch
from blocks.aggregating.ops.approx_percentile import ApproxPercentile
from blocks.aggregating.ops.operation import Moments, Selected
from tests.oracles import aggregation as oracle

pytestmark = pytest.mark.jvm
SHARES = (0.0, 0.01, 0.25, 0.5, 0.9, 0.999, 1.0)
# The whole range in which a sketch of Python's may be declared.
LEAST, MOST = 1e-300, 1e300


def every_kind_of_double() -> list[float]:
    """Random ones of every magnitude, powers of two, the ends, denormals, and the bounds of buckets and beside them."""
    random = Random(3)
    found = [5e-324, 2.2250738585072014e-308, 2.225073858507201e-308, 1.7976931348623157e308, 1.0, 0.1, 1e-9, 1e12]
    found += [math.ldexp(1.0, exponent) for exponent in range(-1074, 1024, 7)]
    found += [math.ldexp(1 + random.random(), random.randrange(-1074, 1024)) for _ in range(4_000)]
    for index in [*range(-200, 200), *(random.randrange(-37_000, 35_000) for _ in range(1_000))]:
        bound = oracle.bucket_bound(index)
        found += [bound, math.nextafter(bound, 0.0), math.nextafter(bound, math.inf)]
    return [one for one in found if one > 0]


@pytest.fixture(scope="module")
def java(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    from blocks.engines.java import java_program
    from blocks.engines.sql_service.jar import class_path, compile_sources

    classes, needed = tmp_path_factory.mktemp("classes"), class_path()
    compile_sources([Path(__file__).with_name("SketchBuckets.java")], [], needed, classes)
    return [str(java_program()), "-cp", f"{classes}:{':'.join(map(str, needed))}", "blocks.udf.SketchBuckets"]


def asked(java: list[str], values: Sequence[float]) -> tuple[list[int], list[float], list[float]]:
    """(buckets, their middles, quantiles) of some doubles, by Java."""
    given = b"".join(struct.pack(f">i{len(one)}d", len(one), *one) for one in (values, SHARES))
    answer = subprocess.run(java, input=given, capture_output=True, check=True, timeout=60).stdout
    pairs = [struct.unpack_from(">id", answer, 12 * place) for place in range(len(values))]
    quantiles = struct.unpack_from(f">{len(SHARES)}d", answer, 12 * len(values))
    return [one for one, _ in pairs], [one for _, one in pairs], list(quantiles)


def bits(values: Sequence[float]) -> list[bytes]:
    return [struct.pack(">d", one) for one in values]


def quantiles_of(values: list[float]) -> list[float]:
    """Those of AggregateEvents."""
    operation = ApproxPercentile(pa.float64(), {"share": SHARES, "least": LEAST, "most": MOST})
    ids = pa.array([b""] * len(values), pa.large_binary())
    single = operation.prepare(Selected(pa.array(values, pa.float64()), np.zeros(len(values), np.int64), ids))
    merged = operation.merge(single, np.array([0, len(values)]))
    found: list[float] = operation.finalize(merged, Moments(np.zeros(1, np.int64), None)).values[0].as_py()
    return found


def test_a_double_has_the_same_bucket_in_java_in_python_and_in_the_oracle(java: list[str]) -> None:
    values = every_kind_of_double()
    buckets, middles, _ = asked(java, values)
    index = ddsketch.index_of(np.array(values))
    assert index.tolist() == buckets == [oracle.bucket(one) for one in values]
    assert bits(ddsketch.middle_of(index).tolist()) == bits(middles)


@pytest.mark.parametrize("seed", range(6))
def test_a_group_has_the_same_quantiles_in_java_and_in_python(java: list[str], seed: int) -> None:
    random = Random(seed)
    # Within 10**35 of each other, which is what the sketch of SQL holds without a declared range.
    spread = (1.0, 1e3, 1e-8, 1e16, 1e-4, 1e30)[seed]
    values = [random.choice([-1, 1, 1]) * random.random() ** 4 * spread for _ in range(1 + 400 * seed)]
    values += [0.0, -0.0, spread] if seed % 2 else []
    assert bits(asked(java, values)[2]) == bits(quantiles_of(values))


@pytest.mark.parametrize("extreme", [5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 1.0])
def test_the_smallest_and_the_greatest_doubles_have_buckets(java: list[str], extreme: float) -> None:
    median = asked(java, [extreme] * 3 + [-extreme, math.inf])[2][SHARES.index(0.5)]
    assert abs(median - extreme) <= 0.01 * extreme


def test_another_rounding_of_a_bound_is_caught(java: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    values = every_kind_of_double()
    buckets, _, _ = asked(java, values)
    # As a library's logarithm would have it: close, and not the same.
    monkeypatch.setattr(ddsketch, "_A", math.nextafter(ddsketch._A, 1.0))
    assert ddsketch.index_of(np.array(values)).tolist() != buckets
