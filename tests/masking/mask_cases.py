"""Keys, policies and columns for the tests of masking."""

from typing import Any

import pyarrow as pa

from blocks.core import labels
from blocks.core.keys import KeyRing
from blocks.core.mask_plan import plan_masking
from blocks.core.masks import Method
from blocks.core.policy import method_of, read_policy

SECRET = "0123456789abcdef0123456789abcdef"
OTHER_SECRET = "another secret of thirty-two bytes"
VARIABLE, OTHER_VARIABLE = "BLOCKS_TEST_MASK_KEY", "BLOCKS_TEST_OTHER_KEY"
KEYS = {"main": f"env:{VARIABLE}", "other": f"env:{OTHER_VARIABLE}"}


def ring() -> KeyRing:
    return KeyRing(KEYS)


def method(name: str, **options: Any) -> Method:
    """A mask method as a policy would make it."""
    key = {"key": options.pop("key", "main")} if name in ("hmac", "encrypt", "hash_bucket") else {}
    mark = labels.Masked(name, options=options)
    return method_of(mark) if not key else method_of(labels.Masked(name, key["key"], options))


def masked(array: pa.Array, name: str, label: str = "pii.x", **options: Any) -> pa.Array:
    """An array masked by a method; the result has the type that the method declares."""
    found = method(name, **options)
    result = found.kernel(array.type, label, ring())(array)
    assert result.type == found.output_type(array.type)
    result.validate(full=True)
    return result


def labelled(name: str, data_type: pa.DataType, label: str = "pii.x", nullable: bool = True) -> pa.Field:
    """A field with a label."""
    return labels.with_labels(pa.field(name, data_type, nullable), [label])


def policy_of(rules: dict[str, Any], protected: bool = True, **destinations: Any) -> Any:
    """A policy whose `warehouse` has these rules."""
    warehouse = {"protected": protected, "labels": {"public": "keep", **rules}}
    return read_policy({"keys": KEYS, "destinations": {"warehouse": warehouse, **destinations}})


def mask_batch(batch: pa.RecordBatch, rules: dict[str, Any]) -> pa.RecordBatch:
    """A batch masked for the warehouse, checked as deep as Arrow can."""
    plan = plan_masking(batch.schema, policy_of(rules), "warehouse", "test")
    result = plan.batch_function()(batch)
    result.validate(full=True)
    assert result.schema.equals(plan.schema, check_metadata=True)
    return result
