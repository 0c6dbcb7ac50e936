-- What the warehouse has cost in 30 days, in credits by day. ACCOUNT_USAGE lags by up to three hours.
SELECT DATE(start_time) AS day, SUM(credits_used) AS credits
FROM snowflake.account_usage.warehouse_metering_history
WHERE warehouse_name = 'DELETE_SYNC_WH' AND start_time > DATEADD('day', -30, CURRENT_TIMESTAMP())
GROUP BY DATE(start_time)
ORDER BY day DESC;

-- What the tables hold, with what Time Travel and Fail-safe keep of them.
SELECT table_name, active_bytes, time_travel_bytes, failsafe_bytes
FROM snowflake.account_usage.table_storage_metrics
WHERE table_schema = 'SALESFORCE' AND table_name LIKE 'DELETE_TRACKER%';
