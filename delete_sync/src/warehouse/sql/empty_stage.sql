REMOVE @{stage}
