-- name: percent_change
-- version: 1
-- description: By how many percent a number grew, of the size of the earlier one; NULL where that is 0.
-- signature: (earlier DOUBLE, later DOUBLE) RETURNS DOUBLE
-- example: percent_change(80, 100) -> 25.0
-- example: percent_change(-4, -5) -> -25.0
-- example: percent_change(0, 5) -> NULL

100 * safe_divide(later - earlier, ABS(earlier))
