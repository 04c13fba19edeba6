-- name: safe_divide
-- version: 1
-- description: Divides one number by another; NULL where the divisor is 0.
-- signature: (dividend DOUBLE, divisor DOUBLE) RETURNS DOUBLE
-- example: safe_divide(7, 2) -> 3.5
-- example: safe_divide(1, 0) -> NULL
-- example: safe_divide(NULL, 2) -> NULL

dividend / NULLIF(divisor, 0)
