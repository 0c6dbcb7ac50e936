-- The reason why a value does not fit into a VARCHAR(255). Snowflake counts characters, not bytes.
WHEN typeof({column}) NOT IN ('text', 'null') THEN '{column} is not text'
WHEN length({column}) > 255 THEN '{column} is longer than 255 characters'
WHEN instr({column}, char(0)) THEN '{column} holds a NUL character'
