-- name: year_month
-- version: 1
-- description: The month of a day, or of a moment in UTC, as one number that sorts: 202405 for May 2024.
-- signature: (moment TIMESTAMP) RETURNS INTEGER
-- signature: (moment DATE) RETURNS INTEGER
-- example: year_month(DATE '2024-05-17') -> 202405
-- example: year_month(TIMESTAMP '1969-12-31 23:59:59') -> 196912

CAST(EXTRACT(YEAR FROM moment) * 100 + EXTRACT(MONTH FROM moment) AS INTEGER)
