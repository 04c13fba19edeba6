"""truncate: dates, numbers, addresses and codes keep their coarse part; what cannot be read becomes null."""

import datetime
import ipaddress
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mask_cases import masked, method
from pydantic import ValidationError

from blocks.core.errors import SchemaError
from blocks.core.policy import _METHOD

DAY = datetime.date(1984, 5, 17)
MOMENT = datetime.datetime(2026, 1, 1, 0, 30, tzinfo=datetime.UTC)


def truncated(values: list[Any], kind: pa.DataType, **options: Any) -> list[Any]:
    found = masked(pa.array(values, kind), "truncate", **options)
    assert found.type == kind
    return found.to_pylist()


@pytest.mark.parametrize("kind", [pa.date32(), pa.date64()])
def test_dates_go_to_the_first_of_the_month_or_year(kind: pa.DataType) -> None:
    before = datetime.date(1969, 12, 31)
    assert truncated([DAY, before, None], kind, date="month") == [
        datetime.date(1984, 5, 1),
        datetime.date(1969, 12, 1),
        None,
    ]
    assert truncated([DAY, before], kind, date="year") == [datetime.date(1984, 1, 1), datetime.date(1969, 1, 1)]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_timestamps_go_to_the_first_instant_in_utc_whatever_their_zone(unit: str) -> None:
    # In New York it is still December 2025.
    for zone in ("UTC", "America/New_York"):
        (found,) = masked(pa.array([MOMENT], pa.timestamp(unit, zone)), "truncate", date="month")
        assert found.type == pa.timestamp(unit, zone)
        assert found.cast(pa.timestamp("us", "UTC")).as_py() == MOMENT.replace(minute=0)
    naive = datetime.datetime(2026, 5, 6, 7)
    assert truncated([naive], pa.timestamp("us"), date="year") == [datetime.datetime(2026, 1, 1)]


def test_a_month_that_begins_before_the_first_nanosecond_is_null_and_not_a_time_far_in_the_future() -> None:
    first = pa.array([-(1 << 63)], pa.timestamp("ns"))
    assert masked(first, "truncate", date="year").null_count == 1


@pytest.mark.parametrize(
    ("text", "month", "year"),
    [
        ("1984-05-17", "1984-05", "1984"),
        ("1984-05", "1984-05", "1984"),
        ("1984-05-17T10:11:12.5+02:00", "1984-05", "1984"),
        ("1984-05-17 10:11Z", "1984-05", "1984"),
        ("1984", None, None),
        ("17.05.1984", None, None),
        ("1984-13-01", None, None),
        ("1984-05-32", None, None),
        ("5551-12-3456", None, None),
        ("1984-05-17 of Ana", None, None),
        ("١٩٨٤-05-17", None, None),
        ("1984-05-17\n", None, None),
        ("", None, None),
    ],
)
def test_iso_text_is_cut_and_other_text_is_null(text: str, month: str | None, year: str | None) -> None:
    assert truncated([text, None], pa.string(), date="month") == [month, None]
    assert truncated([text], pa.large_string(), date="year") == [year]


@pytest.mark.parametrize("kind", [pa.int8(), pa.int64(), pa.float32(), pa.float64(), pa.float16()])
def test_numbers_go_down_to_a_multiple_also_below_zero(kind: pa.DataType) -> None:
    import numpy as np

    values = [np.float16(value) for value in (27, -3, 0, 30)] if kind == pa.float16() else [27, -3, 0, 30]
    assert truncated([*values, None], kind, bucket=10) == [20, -10, 0, 30, None]


def test_decimals_go_down_exactly_and_keep_their_scale() -> None:
    values = [Decimal("-0.01"), Decimal("99.99"), Decimal("100.00"), None]
    found = truncated(values, pa.decimal128(9, 2), bucket=100)
    assert found == [Decimal("-100.00"), Decimal("0.00"), Decimal("100.00"), None]
    assert str(found[0]) == "-100.00"


def test_integers_beyond_two_to_the_53rd_go_down_exactly() -> None:
    assert truncated([(1 << 62) + 7], pa.int64(), bucket=10) == [((1 << 62) + 7) // 10 * 10]
    assert truncated([(1 << 64) - 1], pa.uint64(), bucket=1000) == [((1 << 64) - 1) // 1000 * 1000]


def test_a_multiple_that_the_type_does_not_hold_is_null() -> None:
    assert truncated([-128, -20], pa.int8(), bucket=10) == [None, -20]
    assert truncated([Decimal("-9.5")], pa.decimal128(2, 1), bucket=100) == [None]


@given(st.integers(-(1 << 40), 1 << 40), st.integers(1, 10_000))
def test_a_bucket_holds_its_value(value: int, size: int) -> None:
    (low,) = truncated([value], pa.int64(), bucket=size)
    assert low <= value < low + size
    assert low % size == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("203.0.113.77", "203.0.113.0"),
        (" 203.0.113.77 ", "203.0.113.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ("2001:DB8:1::", "2001:db8:1::"),
        ("::ffff:203.0.113.77", "203.0.113.0"),
        # 6to4 holds the whole IPv4 address in its first 48 bits.
        ("2002:cb00:714d::1", "203.0.113.0"),
        ("::203.0.113.77", "::"),
        ("64:ff9b::203.0.113.77", "64:ff9b::"),
        ("fe80::1%eth0", "fe80::"),
        ("203.0.113.077", None),
        ("203.0.113", None),
        ("203.0.113.77:443", None),
        ("host.example", None),
        ("", None),
    ],
)
def test_addresses_keep_their_prefix_and_other_text_is_null(text: str, expected: str | None) -> None:
    assert truncated([text, None], pa.string(), ip_prefix={"v4": 24, "v6": 48}) == [expected, None]


@given(st.ip_addresses(v=4), st.integers(0, 31))
def test_an_address_lies_in_its_prefix(address: ipaddress.IPv4Address, bits: int) -> None:
    (found,) = truncated([str(address)], pa.string(), ip_prefix={"v4": bits})
    network = ipaddress.ip_network(f"{found}/{bits}")
    assert address in network
    assert str(network.network_address) == found


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_postcodes_keep_their_first_code_points(kind: pa.DataType) -> None:
    assert truncated(["28013", "E1", "", None, "\U0001f600e\u0301xy"], kind, characters=3) == [
        "280",
        "E1",
        "",
        None,
        "\U0001f600e\u0301",
    ]


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"date": "month"}, pa.int64()),
        ({"bucket": 10}, pa.string()),
        ({"bucket": 0.5}, pa.int64()),
        ({"bucket": 0.5}, pa.decimal128(9, 2)),
        ({"ip_prefix": {}}, pa.binary()),
        ({"characters": 3}, pa.int64()),
    ],
)
def test_an_option_that_does_not_fit_the_type_is_refused(options: dict[str, Any], kind: pa.DataType) -> None:
    with pytest.raises(SchemaError, match="`truncate"):
        method("truncate", **options).output_type(kind)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"date": "month", "bucket": 10},
        {"date": "day"},
        {"bucket": 0},
        {"bucket": -1},
        {"bucket": float("inf")},
        {"bucket": float("nan")},
        {"bucket": True},
        {"ip_prefix": {"v4": 32}},
        {"ip_prefix": {"v6": 128}},
        {"ip_prefix": {"v5": 1}},
        {"characters": 0},
    ],
)
def test_options_that_cannot_be_or_cut_nothing_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        _METHOD.validate_python({"method": "truncate", **options})
