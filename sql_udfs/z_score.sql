-- name: z_score
-- version: 1
-- description: How many standard deviations a number lies above the mean; NULL where the deviation is 0.
-- signature: (number DOUBLE, mean DOUBLE, deviation DOUBLE) RETURNS DOUBLE
-- example: z_score(12, 10, 4) -> 0.5
-- example: z_score(7, 10, 2) -> -1.5
-- example: z_score(7, 10, 0) -> NULL

safe_divide(number - mean, deviation)
