LIST @{stage}/{path}/
