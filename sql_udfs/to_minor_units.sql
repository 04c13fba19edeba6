-- name: to_minor_units
-- version: 1
-- description: An amount of money in its smallest unit, halves away from zero, for a currency of so many decimals; NULL
--   where the decimals are not from 0 to 4.
-- signature: (amount DECIMAL, decimals INTEGER) RETURNS BIGINT
-- example: to_minor_units(12.34, 2) -> 1234
-- example: to_minor_units(-0.005, 2) -> -1
-- example: to_minor_units(500, 0) -> 500
-- example: to_minor_units(1.2345, 3) -> 1235
-- example: to_minor_units(12.34, 9) -> NULL

CAST(
  ROUND(
    CAST(amount AS DECIMAL(27, 9)) * CASE decimals
      WHEN 0 THEN 1
      WHEN 1 THEN 10
      WHEN 2 THEN 100
      WHEN 3 THEN 1000
      WHEN 4 THEN 10000
      ELSE NULL
    END
  ) AS BIGINT
)
