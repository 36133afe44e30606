"""Values for the Helm charts, derived from firebreak.yaml and each service.yaml."""
