-- Cost of the warehouse in the last 30 days, in credits for each day.
-- ACCOUNT_USAGE is up to three hours late.
SELECT DATE(start_time) AS day, SUM(credits_used) AS credits
FROM snowflake.account_usage.warehouse_metering_history
WHERE warehouse_name = 'DELETE_SYNC_WH' AND start_time > DATEADD('day', -30, CURRENT_TIMESTAMP())
GROUP BY DATE(start_time)
ORDER BY day DESC;

-- Size of the tables, of their Time Travel data and of their Fail-safe data.
SELECT table_name, active_bytes, time_travel_bytes, failsafe_bytes
FROM snowflake.account_usage.table_storage_metrics
WHERE table_schema = 'SALESFORCE' AND table_name LIKE 'DELETE_TRACKER%';
