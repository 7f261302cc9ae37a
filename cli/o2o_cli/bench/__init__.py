"""`o2o bench`: hot paths as ratios to a calibration loop of the same run, against a committed baseline."""
