-- name: coalesce_blank
-- version: 1
-- description: A text, or the other one where it is NULL, empty or nothing but blanks.
-- signature: (text VARCHAR, otherwise VARCHAR) RETURNS VARCHAR
-- nulls: call
-- example: coalesce_blank('Lund', 'unknown') -> 'Lund'
-- example: coalesce_blank('  ', 'unknown') -> 'unknown'
-- example: coalesce_blank(NULL, 'unknown') -> 'unknown'
-- example: coalesce_blank('', NULL) -> NULL

COALESCE(null_if_blank(text), otherwise)
