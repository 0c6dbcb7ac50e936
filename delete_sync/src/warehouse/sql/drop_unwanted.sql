DELETE FROM {staging} WHERE v:event_file::VARCHAR IN ({files})
