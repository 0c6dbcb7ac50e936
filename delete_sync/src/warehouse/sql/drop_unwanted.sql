DELETE FROM {staging}
USING (SELECT column1 AS event_file FROM VALUES {files}) u
WHERE v:event_file::VARCHAR = u.event_file AND v:kind::VARCHAR <> 'file'
