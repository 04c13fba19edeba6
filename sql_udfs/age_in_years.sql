-- name: age_in_years
-- version: 1
-- description: Whole years from a date of birth to a day; who is born on 29 February is a year older from 1 March in
--   years that do not have it.
-- signature: (born DATE, at_day DATE) RETURNS INTEGER
-- signature: (born DATE, at_day TIMESTAMP) RETURNS INTEGER
-- example: age_in_years(DATE '1990-05-17', DATE '2024-05-16') -> 33
-- example: age_in_years(DATE '1990-05-17', DATE '2024-05-17') -> 34
-- example: age_in_years(DATE '2004-02-29', DATE '2023-02-28') -> 18
-- example: age_in_years(DATE '1990-05-17', NULL) -> NULL

CAST(
  EXTRACT(YEAR FROM at_day) - EXTRACT(YEAR FROM born) - CASE
    WHEN EXTRACT(MONTH FROM at_day) * 100 + EXTRACT(DAY FROM at_day)
      < EXTRACT(MONTH FROM born) * 100 + EXTRACT(DAY FROM born) THEN 1
    ELSE 0
  END AS INTEGER
)
