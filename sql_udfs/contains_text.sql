-- name: contains_text
-- version: 1
-- description: Whether a text has another in it, letter case counted; every text has the empty one.
-- signature: (text VARCHAR, part VARCHAR) RETURNS BOOLEAN
-- example: contains_text('gift card', 'card') -> TRUE
-- example: contains_text('gift card', 'Card') -> FALSE
-- example: contains_text('gift card', '') -> TRUE

POSITION(part IN text) > 0
