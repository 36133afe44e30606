# What the tests share: calls as the gateway describes them, and small policies' worth of data.
package firebreak.main_test

import data.firebreak.main

# A call that `chain` makes to the target `name`.
call_of(chain, name, args) := {
	"call": {"id": "c1", "method": "/firebreak.v1.ToolService/Call", "action": "call", "depth": count(chain) - 1, "parent": null},
	"principal": {"id": chain[count(chain) - 1], "issuer": "test", "service": null, "claims": {}},
	"session": {"id": "s1", "chain": chain},
	"target": {"name": name, "kind": "tool", "effect": "READ"},
	"args": args,
	"prompt": null,
}

describe_of(chain, name) := object.union(call_of(chain, name, null), {"call": {"action": "describe"}})

prompt_of(chain, name, prompt) := object.union(call_of(chain, name, null), {"prompt": prompt})

roles := {
	"people": {"principals": ["user:ada", "user:bob"], "prefixes": ["team:core/"]},
	"agents": {"principals": ["service:agent", "service:other"]},
}

# The decision about a call by user:ada where only `parts` say more than that people may call and describe the tool.
decide(parts, document) := decision if {
	grant := object.union({"roles": ["people"], "actions": ["describe", "call"]}, parts)
	decision := main.decision with input as document
		with data.roles as roles
		with data.grants as {"tool": {"given": grant}}
}

with_args(parts, args) := decide({"args": parts}, call_of(["user:ada"], "tool", args))

with_field(constraint, value) := with_args({"fields": {"x": constraint}}, {"x": value})

with_prompt(parts, prompt) := decide({"prompt": parts}, prompt_of(["user:ada"], "tool", prompt))

says(decision, field, text) if {
	decision.allow == false
	some reason in decision.reasons
	reason.rule == "grants.tool.given"
	reason.field == field
	contains(reason.message, text)
}
