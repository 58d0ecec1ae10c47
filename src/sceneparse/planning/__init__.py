"""From a data set and a time to a config: gather facts, measure, decide, write."""
