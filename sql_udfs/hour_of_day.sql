-- name: hour_of_day
-- version: 1
-- description: The hour of a moment in UTC, from 0 to 23.
-- signature: (moment TIMESTAMP) RETURNS INTEGER
-- example: hour_of_day(TIMESTAMP '2024-05-17 23:10:11') -> 23
-- example: hour_of_day(TIMESTAMP '1969-12-31 00:59:59') -> 0

CAST(EXTRACT(HOUR FROM moment) AS INTEGER)
