-- name: min_max_scale
-- version: 1
-- description: Maps least to 0 and most to 1, and what lies between in proportion; NULL where least is most.
-- signature: (number DOUBLE, least DOUBLE, most DOUBLE) RETURNS DOUBLE
-- example: min_max_scale(15, 10, 20) -> 0.5
-- example: min_max_scale(25, 10, 20) -> 1.5
-- example: min_max_scale(3, 3, 3) -> NULL

safe_divide(number - least, most - least)
