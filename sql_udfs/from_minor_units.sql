-- name: from_minor_units
-- version: 1
-- description: An amount of money from a number of its smallest unit, for a currency of so many decimals; NULL where the
--   decimals are not from 0 to 4.
-- signature: (units BIGINT, decimals INTEGER) RETURNS DECIMAL
-- example: from_minor_units(1234, 2) -> 12.34
-- example: from_minor_units(-5, 2) -> -0.05
-- example: from_minor_units(500, 0) -> 500
-- example: from_minor_units(1235, 3) -> 1.235

CAST(units AS DECIMAL(19, 0)) * CASE decimals
  WHEN 0 THEN 10000
  WHEN 1 THEN 1000
  WHEN 2 THEN 100
  WHEN 3 THEN 10
  WHEN 4 THEN 1
  ELSE NULL
END * 0.0001
