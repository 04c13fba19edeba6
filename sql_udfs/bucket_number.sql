-- name: bucket_number
-- version: 1
-- description: The number of the bucket, from 1, of buckets of equal width from low to high; 0 below low, and one more
--   than there are from high on. NULL where high is not above low, or there are no buckets.
-- signature: (number DOUBLE, low DOUBLE, high DOUBLE, buckets INTEGER) RETURNS INTEGER
-- example: bucket_number(35, 0, 100, 10) -> 4
-- example: bucket_number(0, 0, 100, 10) -> 1
-- example: bucket_number(100, 0, 100, 10) -> 11
-- example: bucket_number(-1, 0, 100, 10) -> 0
-- example: bucket_number(5, 10, 10, 10) -> NULL

CASE
  WHEN high <= low OR buckets < 1 THEN NULL
  WHEN number < low THEN 0
  WHEN number >= high THEN buckets + 1
  WHEN (number - low) / (high - low) * buckets >= buckets THEN buckets
  ELSE CAST(FLOOR((number - low) / (high - low) * buckets) AS INTEGER) + 1
END
