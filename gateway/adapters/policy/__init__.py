"""The policy engines behind the port `gateway.policy.PolicyEngine`: a folder of Rego and data, kept in force."""
