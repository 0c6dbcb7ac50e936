SELECT
    CURRENT_USER() AS user_name,
    CURRENT_ROLE() AS role_name,
    CURRENT_WAREHOUSE() AS warehouse_name
