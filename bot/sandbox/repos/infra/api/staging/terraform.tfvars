# Which release of acme/api runs in staging: one of its tags.
api_version = "v1.4.0"

# How many of it.
replicas = 1
