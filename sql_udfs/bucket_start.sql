-- name: bucket_start
-- version: 1
-- description: The lower end of the bucket that a number falls into, where buckets of this width begin at 0;
--   NULL where the width is not positive.
-- signature: (number BIGINT, width BIGINT) RETURNS BIGINT
-- example: bucket_start(47, 10) -> 40
-- example: bucket_start(-3, 10) -> -10
-- example: bucket_start(40, 10) -> 40
-- example: bucket_start(47, 0) -> NULL

CASE
  WHEN width <= 0 THEN NULL
  WHEN MOD(number, width) < 0 THEN number - MOD(number, width) - width
  ELSE number - MOD(number, width)
END
