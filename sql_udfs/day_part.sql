-- name: day_part
-- version: 1
-- description: The part of the day of a moment in UTC: night before 6, morning before 12, afternoon before 18, evening.
-- signature: (moment TIMESTAMP) RETURNS VARCHAR
-- example: day_part(TIMESTAMP '2024-05-17 05:59:59') -> 'night'
-- example: day_part(TIMESTAMP '2024-05-17 06:00:00') -> 'morning'
-- example: day_part(TIMESTAMP '2024-05-17 12:00:00') -> 'afternoon'
-- example: day_part(TIMESTAMP '2024-05-17 18:00:00') -> 'evening'

CASE
  WHEN hour_of_day(moment) < 6 THEN 'night'
  WHEN hour_of_day(moment) < 12 THEN 'morning'
  WHEN hour_of_day(moment) < 18 THEN 'afternoon'
  ELSE 'evening'
END
