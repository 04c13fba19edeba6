-- name: parse_boolean
-- version: 1
-- description: Reads yes and no as people write them (true, t, yes, y, on, 1; false, f, no, n, off, 0), in any case and
--   with blanks around; NULL for any other text.
-- signature: (text VARCHAR) RETURNS BOOLEAN
-- example: parse_boolean('Yes') -> TRUE
-- example: parse_boolean(' 0 ') -> FALSE
-- example: parse_boolean('maybe') -> NULL
-- example: parse_boolean(NULL) -> NULL

CASE
  WHEN LOWER(TRIM(text)) IN ('true', 't', 'yes', 'y', 'on', '1') THEN TRUE
  WHEN LOWER(TRIM(text)) IN ('false', 'f', 'no', 'n', 'off', '0') THEN FALSE
  ELSE NULL
END
