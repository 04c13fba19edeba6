-- name: clamp
-- version: 1
-- description: A number, or the bound that it lies beyond.
-- signature: (number BIGINT, least BIGINT, most BIGINT) RETURNS BIGINT
-- signature: (number DECIMAL, least DECIMAL, most DECIMAL) RETURNS DECIMAL
-- signature: (number DOUBLE, least DOUBLE, most DOUBLE) RETURNS DOUBLE
-- example: clamp(12, 0, 10) -> 10
-- example: clamp(-3, 0, 10) -> 0
-- example: clamp(7, 0, 10) -> 7
-- example: clamp(CAST(0.5 AS DOUBLE), CAST(0 AS DOUBLE), CAST(0.25 AS DOUBLE)) -> 0.25
-- example: clamp(7, NULL, 10) -> NULL

CASE WHEN number < least THEN least WHEN number > most THEN most ELSE number END
