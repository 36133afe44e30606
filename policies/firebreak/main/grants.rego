# Which of the target's grants each principal on the session's chain holds, and which of them cover this call. Every part of a
# grant must be satisfied. A part that no rule knows never is, so a grant with a misspelt limit allows nothing. A rule says when a
# part is satisfied, never when it is violated: whatever is undefined denies.
package firebreak.main

# METADATA
# title: Here
# description: The grants of the call's target, by name.
here := data.grants[input.target.name]

roles := data.roles

# METADATA
# title: Held
# description: The names of the grants here that are for a principal, by principal on the chain.
held[principal] contains name if {
	some name, grant in here
	some role in grant.roles
	some principal in input.session.chain
	principal in roles[role].principals
}

held[principal] contains name if {
	some name, grant in here
	some role in grant.roles
	some prefix in roles[role].prefixes
	some principal in input.session.chain
	startswith(principal, prefix)
}

# METADATA
# title: Covering
# description: The held grants that cover this call, by principal.
covering[principal] contains name if {
	some principal, names in held
	some name in names
	grant := here[name]
	input.call.action in grant.actions
	every part in object.keys(grant) - plain {
		satisfied(part, grant[part], principal)
	}
}

# The rules above have looked at these; a note is for people.
plain := {"roles", "actions", "note"}

# METADATA
# title: Satisfied
# description: Whether one part of a grant is satisfied by this call, for the principal who holds the grant.
satisfied("args", want, _) if args_satisfied(want)

satisfied("prompt", want, _) if prompt_satisfied(want)

satisfied("methods", names, _) if methods_satisfied(names)

satisfied("effects", effects, _) if input.target.effect in effects

# Delegation: everybody behind the holder on the chain must be named.
satisfied("via", names, principal) if {
	every other in after(principal) {
		other in names
	}
}

satisfied("limits", limits, _) if {
	every limit, value in limits {
		limit in {"timeout_ms", "response_bytes"}
		is_number(value)
		value > 0
	}
}

# Everybody else behind the first place on the chain where the principal stands.
after(principal) := {other |
	first := min([place | some place, member in input.session.chain; member == principal])
	some place, other in input.session.chain
	place > first
	other != principal
}
