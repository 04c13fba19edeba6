-- name: sql_step
-- version: 1
-- description: The next of a row of numbers.
-- signature: (number BIGINT) RETURNS BIGINT
-- example: sql_step(1) -> 38

MOD(number * 31 + 7, CAST(1000003 AS BIGINT))
