"""What can be set: each setting declared once; flag, variable, ConfigMap key, help and manual follow from it.

Pure, except that `load.environment` reads the process environment: the only place that does.
"""
