SELECT s.v:event_file::VARCHAR AS event_file
FROM {staging} s
LEFT JOIN {companion} t
    ON {same_key}
{erased_join}WHERE s.v:kind::VARCHAR = '{kind}' AND {is_new}
