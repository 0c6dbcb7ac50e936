SELECT DISTINCT record_sha256 AS record_sha256 FROM {erased}
