-- name: null_if_blank
-- version: 1
-- description: A text, or NULL where it is empty or nothing but blanks.
-- signature: (text VARCHAR) RETURNS VARCHAR
-- example: null_if_blank('Lund') -> 'Lund'
-- example: null_if_blank(' a ') -> ' a '
-- example: null_if_blank('  ') -> NULL
-- example: null_if_blank('') -> NULL

CASE WHEN TRIM(text) = '' THEN NULL ELSE text END
