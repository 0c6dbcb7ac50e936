PUT '{files}' @{stage}/{path}/ AUTO_COMPRESS=FALSE OVERWRITE=TRUE
