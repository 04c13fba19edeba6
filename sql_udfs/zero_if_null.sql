-- name: zero_if_null
-- version: 1
-- description: A number, or 0 where there is none.
-- signature: (number BIGINT) RETURNS BIGINT
-- signature: (number DECIMAL) RETURNS DECIMAL
-- signature: (number DOUBLE) RETURNS DOUBLE
-- nulls: never
-- example: zero_if_null(3) -> 3
-- example: zero_if_null(CAST(NULL AS BIGINT)) -> 0
-- example: zero_if_null(CAST(NULL AS DOUBLE)) -> 0.0

COALESCE(number, 0)
