-- name: yes_no
-- version: 1
-- description: The word yes or no for true or false.
-- signature: (flag BOOLEAN) RETURNS VARCHAR
-- example: yes_no(TRUE) -> 'yes'
-- example: yes_no(1 > 2) -> 'no'
-- example: yes_no(NULL) -> NULL

CASE WHEN flag THEN 'yes' ELSE 'no' END
