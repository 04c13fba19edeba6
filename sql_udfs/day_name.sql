-- name: day_name
-- version: 1
-- description: The English name of the day of the week of a day, or of a moment in UTC.
-- signature: (moment TIMESTAMP) RETURNS VARCHAR
-- signature: (moment DATE) RETURNS VARCHAR
-- example: day_name(DATE '2024-05-17') -> 'Friday'
-- example: day_name(TIMESTAMP '2024-05-19 23:59:59') -> 'Sunday'

CASE iso_day_of_week(moment)
  WHEN 1 THEN 'Monday'
  WHEN 2 THEN 'Tuesday'
  WHEN 3 THEN 'Wednesday'
  WHEN 4 THEN 'Thursday'
  WHEN 5 THEN 'Friday'
  WHEN 6 THEN 'Saturday'
  WHEN 7 THEN 'Sunday'
  ELSE NULL
END
