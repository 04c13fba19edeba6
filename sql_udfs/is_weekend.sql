-- name: is_weekend
-- version: 1
-- description: Whether a day, or a moment in UTC, is a Saturday or a Sunday.
-- signature: (moment TIMESTAMP) RETURNS BOOLEAN
-- signature: (moment DATE) RETURNS BOOLEAN
-- example: is_weekend(DATE '2024-05-18') -> TRUE
-- example: is_weekend(DATE '2024-05-17') -> FALSE
-- example: is_weekend(TIMESTAMP '2024-05-19 23:59:59') -> TRUE

iso_day_of_week(moment) > 5
