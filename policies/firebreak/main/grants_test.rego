package firebreak.main_test

import data.firebreak.main

test_nobody_without_a_grant if {
	decision := decide({}, call_of(["user:eve"], "tool", {}))
	decision.allow == false
	decision.reasons[0].rule == "grants"
	decision.reasons[0].field == "principal.id"
	contains(decision.reasons[0].message, "user:eve holds no grant for tool")
}

test_role_by_whole_id if decide({}, call_of(["user:ada"], "tool", {})).allow

test_role_by_prefix if decide({}, call_of(["team:core/ada"], "tool", {})).allow

test_prefix_of_another_role if not decide({"roles": ["agents"]}, call_of(["team:core/ada"], "tool", {})).allow

test_prefix_is_no_middle if not decide({}, call_of(["x/team:core/ada"], "tool", {})).allow

test_longer_id_is_another if not decide({}, call_of(["user:ada2"], "tool", {})).allow

test_role_that_nobody_defined if not decide({"roles": ["ghosts"]}, call_of(["user:ada"], "tool", {})).allow

test_allowing_names_the_grant if {
	decision := decide({}, call_of(["user:ada"], "tool", {}))
	decision.reasons == [{"rule": "grants.tool.given", "message": "user:ada may call tool."}]
	decision.obligations == {}
}

test_target_without_grants if {
	decision := decide({}, call_of(["user:ada"], "other", {}))
	decision.allow == false
	decision.reasons[0].rule == "grants"
}

test_action_in_the_grant if decide({"actions": ["describe"]}, describe_of(["user:ada"], "tool")).allow

test_action_beside_the_grant if {
	decision := decide({"actions": ["describe"]}, call_of(["user:ada"], "tool", {}))
	says(decision, "call.action", "must be describe")
}

test_effect_in_the_grant if decide({"effects": ["READ"]}, call_of(["user:ada"], "tool", {})).allow

test_effect_beside_the_grant if {
	says(decide({"effects": ["IDEMPOTENT"]}, call_of(["user:ada"], "tool", {})), "target.effect", "must be IDEMPOTENT")
}

test_unknown_part_allows_nothing if {
	says(decide({"argz": {}}, call_of(["user:ada"], "tool", {})), "argz", "does not know")
}

test_note_is_for_people if decide({"note": "hello"}, call_of(["user:ada"], "tool", {})).allow

test_one_covering_grant_is_enough if {
	main.decision.allow with input as call_of(["user:ada"], "tool", {"x": 5})
		with data.roles as roles
		with data.grants as {"tool": {
			"narrow": {"roles": ["people"], "actions": ["call"], "args": {"fields": {"x": {"maximum": 1}}}},
			"wide": {"roles": ["people"], "actions": ["call"], "args": {"fields": {"x": {"maximum": 9}}}},
		}}
}

test_every_part_counts if {
	not decide({"effects": ["READ"], "args": {"required": ["x"]}}, call_of(["user:ada"], "tool", {})).allow
}

test_empty_input_is_denied if {
	decision := main.decision with input as {}
	decision.allow == false
	some reason in decision.reasons
	reason.rule == "document"
}

test_caller_must_end_the_chain if {
	document := object.union(call_of(["user:ada"], "tool", {}), {"principal": {"id": "user:bob"}})
	decide({}, document).allow == false
}

test_empty_chain_is_denied if {
	document := object.union(call_of(["user:ada"], "tool", {}), {"session": {"chain": []}})
	decide({}, document).allow == false
}
