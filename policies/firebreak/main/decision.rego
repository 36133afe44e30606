# METADATA
# title: The decision
# description: >-
#   The gateway asks data.firebreak.main.decision about every call and obeys the answer. Default deny: a call is allowed only when
#   every principal on the session's chain holds a grant that covers the call.
# scope: package
# schemas:
#   - input: schema.input
package firebreak.main

# METADATA
# title: Allowed
# description: A rule of your own adds its condition here and its reason in reasons.rego.
allowed if {
	chain_ends_with_caller
	every principal in input.session.chain {
		covering[principal]
	}
}

# Undefined, and so a denial, where the chain or the caller is missing; an empty chain has no last member.
chain_ends_with_caller if input.session.chain[count(input.session.chain) - 1] == input.principal.id

# METADATA
# title: Decision
# description: The answer, the only rule that the gateway reads.
# entrypoint: true
decision := {
	"allow": true,
	"reasons": [reason | some reason in allowing],
	"obligations": obligations,
} if {
	allowed
}

decision := {
	"allow": false,
	"reasons": denials,
	"obligations": {},
} if {
	not allowed
}

# Something is said about every denial, also where a rule was added without a reason.
denials := [reason | some reason in denying] if count(denying) > 0

denials := [{"rule": "default", "message": "No rule allows this call."}] if count(denying) == 0
