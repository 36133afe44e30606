"""The record of calls: metrics, one log line each, spans."""
