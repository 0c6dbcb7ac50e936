SELECT COUNT(*) AS recovered FROM ({new_recovered}) r
