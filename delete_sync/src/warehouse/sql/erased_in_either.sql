LEFT JOIN (
    SELECT record_sha256 FROM {erased}
    UNION
    SELECT record_sha256 FROM {erased_old}
) e ON e.record_sha256 = SHA2(o.record_id, 256)
