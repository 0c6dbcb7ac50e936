REMOVE @{stage}/{path}/
