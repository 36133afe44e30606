# What stands between a grant and this call. Only a denial asks; whether a call is allowed never depends on it. It takes the same
# rules as the decision and reports what they do not confirm, so a reason cannot disagree with the decision.
package firebreak.main

# METADATA
# title: Shortfall
# description: >-
#   A set of {part, field, want}: `part` of the grant is not satisfied, `field` of the call is at fault, `want` is what the grant
#   asks for.
shortfall(principal, grant) := (in_grant(principal, grant) | in_prompt(grant)) | in_args(grant)

in_grant(principal, grant) := {{"part": "actions", "field": "call.action", "want": grant.actions} |
	not input.call.action in grant.actions
} | {{"part": part, "field": object.get(at_fault, part, part), "want": want} |
	some part, want in object.remove(grant, ["roles", "actions", "note", "args", "prompt"])
	not satisfied(part, want, principal)
}

at_fault := {
	"effects": "target.effect",
	"methods": "call.method",
	"via": "session.chain",
	"max_messages": "messages",
	"max_characters": "characters",
}

in_prompt(grant) := {{"part": concat(".", ["prompt", part]), "field": field, "want": want} |
	input.call.action != "describe"
	some part, want in grant.prompt
	not prompt_fits(part, want)
	field := concat(".", ["prompt", object.get(at_fault, part, part)])
}

in_args(grant) := {{"part": "args", "field": "args", "want": null} |
	grant.args
	input.call.action != "describe"
	not is_object(input.args)
} | {failure |
	input.call.action != "describe"
	is_object(input.args)
	some part, want in grant.args
	not args_fit(part, want)
	some failure in in_part(part, want)
}

in_part("required", names) := {{"part": "args.required", "field": concat(".", ["args", name]), "want": null} |
	some name in names
	not args_fit("required", [name])
}

in_part("forbidden", names) := {{"part": "args.forbidden", "field": concat(".", ["args", name]), "want": null} |
	some name in names
	not args_fit("forbidden", [name])
}

in_part("fields", constraints) := {{"part": part, "field": concat(".", ["args", path]), "want": want} |
	some path, constraint in constraints
	some part, want in in_field(path, constraint)
}

in_part(part, want) := {{"part": concat(".", ["args", part]), "field": "args", "want": want}} if {
	not part in {"required", "forbidden", "fields"}
}

in_field(path, constraint) := {"args.required": null} if {
	not constraint.optional == true
	arg_at(path) == missing
}

in_field(path, constraint) := {concat(".", ["args.fields", kind]): want |
	some kind, want in constraint
	not meets(kind, want, arg_at(path))
} if {
	arg_at(path) != missing
}
