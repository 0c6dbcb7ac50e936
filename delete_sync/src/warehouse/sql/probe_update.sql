UPDATE {probed} SET {column} = {column} WHERE FALSE
