SELECT token AS token FROM {lock}
