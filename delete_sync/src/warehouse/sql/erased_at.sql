SELECT MAX(erased_at) AS erased_at
FROM {erased}
WHERE record_sha256 = SHA2(%s, 256)
