# Words for people. A reason names the rule, the field at fault and what would be allowed; it never repeats a value of the
# caller's arguments.
package firebreak.main

# METADATA
# title: Allowing
# description: The grants that allow the call.
allowing contains {"rule": grant_rule(name), "message": message} if {
	some principal, names in covering
	some name in names
	message := sprintf("%s may %s %s.", [principal, input.call.action, input.target.name])
}

# METADATA
# title: Denying
# description: Why the call is not allowed.
denying contains {"rule": "document", "message": "The gateway's question is not one that this policy understands."} if {
	not chain_ends_with_caller
}

denying contains {"rule": "grants", "field": who(principal), "message": message} if {
	chain_ends_with_caller
	some principal in input.session.chain
	not held[principal]
	message := sprintf("%s holds no grant for %s: a grant there must name a role of that principal and the action %s.", [
		principal,
		input.target.name,
		input.call.action,
	])
}

denying contains {"rule": grant_rule(name), "field": failure.field, "message": message} if {
	chain_ends_with_caller
	some principal, names in held
	not covering[principal]
	some name in names
	some failure in shortfall(principal, here[name])
	message := sprintf("%s may %s %s only under this condition: %s %s.", [
		principal,
		input.call.action,
		input.target.name,
		failure.field,
		demand(failure.part, failure.want),
	])
}

grant_rule(name) := concat(".", ["grants", input.target.name, name])

who(principal) := "principal.id" if principal == input.principal.id

who(principal) := "session.chain" if principal != input.principal.id

demand(part, want) := sprintf(sentences[part], [listed(want)])

demand(part, _) := unknown if not sentences[part]

unknown := "cannot satisfy this grant, which has a part that the policy does not know"

# The `%s` is what the grant asks for, "" where it asks for no more than the sentence says.
sentences := {
	"actions": "must be %s",
	"effects": "must be %s",
	"methods": "must be %s",
	"via": "may go on behind that principal only with %s",
	"limits": "must be positive numbers of milliseconds and bytes, but are %s",
	"args": "must be a tool's arguments%s",
	"args.required": "must be given%s",
	"args.forbidden": "must be left out%s",
	"args.only": "may hold only %s",
	"args.fields.type": "must be of type %s",
	"args.fields.values": "must be %s",
	"args.fields.minimum": "must be a number of at least %s",
	"args.fields.maximum": "must be a number of at most %s",
	"args.fields.min_length": "must be a text or a list with a length of at least %s",
	"args.fields.max_length": "must be a text or a list with a length of at most %s",
	"args.fields.pattern": "must be a text that matches %s as a whole",
	"args.fields.forbidden_text": "must be a text without %s",
	"args.fields.each": "must be a list of which each item satisfies %s",
	"prompt.max_messages": "must be at most %s",
	"prompt.max_characters": "must be at most %s",
	"prompt.roles": "may hold only %s",
	"prompt.tools": "may hold only %s",
}

listed([]) := "nobody and nothing"

listed(null) := ""

listed(want) := concat(" or ", [word(item) | some item in want]) if {
	is_array(want)
	count(want) > 0
}

listed(want) := word(want) if {
	not is_array(want)
	want != null
}

word(item) := item if is_string(item)

word(item) := json.marshal(item) if not is_string(item)
