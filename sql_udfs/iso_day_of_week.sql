-- name: iso_day_of_week
-- version: 1
-- description: The day of the week of a day, or of a moment in UTC, as ISO 8601 counts it, from Monday 1 to Sunday 7.
-- signature: (moment TIMESTAMP) RETURNS INTEGER
-- signature: (moment DATE) RETURNS INTEGER
-- example: iso_day_of_week(DATE '2024-05-13') -> 1
-- example: iso_day_of_week(DATE '1969-12-28') -> 7
-- example: iso_day_of_week(TIMESTAMP '2024-05-19 23:59:59') -> 7

CAST(EXTRACT(ISODOW FROM moment) AS INTEGER)
