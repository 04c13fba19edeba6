-- name: one_if
-- version: 1
-- description: 1 where a condition is true, 0 where it is false or unknown; its sum counts, its average is a share.
-- signature: (test BOOLEAN) RETURNS INTEGER
-- nulls: never
-- example: one_if(2 > 1) -> 1
-- example: one_if(FALSE) -> 0
-- example: one_if(CAST(NULL AS BOOLEAN)) -> 0

CASE WHEN test THEN 1 ELSE 0 END
