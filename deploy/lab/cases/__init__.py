"""What each server of the lab must answer; run by `deploy/lab/check`."""
