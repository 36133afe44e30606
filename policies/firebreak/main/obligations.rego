# Limits that ride on an allowed call. Of one principal's covering grants the most generous counts, of the principals on the chain
# the strictest: delegation only narrows.
package firebreak.main

# METADATA
# title: Obligations
# description: The limits of this call, e.g. a `timeout_ms` of 5000; a limit that nobody sets is left out.
obligations[limit] := min(values) if {
	some limit in mentioned
	values := {value | some principal, _ in covering; value := generous(principal, limit)}
	count(values) > 0
}

mentioned contains limit if {
	some grant in here
	some limit, _ in grant.limits
}

# Undefined where one of the principal's covering grants sets no such limit.
generous(principal, limit) := max(values) if {
	names := covering[principal]
	values := [here[name].limits[limit] | some name in names]
	count(values) == count(names)
}
