package firebreak.main_test

import data.firebreak.main

both := {
	"people": {"roles": ["people"], "actions": ["call"]},
	"agents": {"roles": ["agents"], "actions": ["call"]},
}

through(grants, chain) := decision if {
	decision := main.decision with input as call_of(chain, "tool", {"x": 5})
		with data.roles as roles
		with data.grants as {"tool": grants}
}

test_both_hold_a_grant if through(both, ["user:ada", "service:agent"]).allow

test_agent_lends_nothing_to_its_caller if {
	decision := through({"agents": both.agents}, ["user:ada", "service:agent"])
	decision.allow == false
	decision.reasons[0].field == "session.chain"
	contains(decision.reasons[0].message, "user:ada holds no grant")
}

test_caller_lends_nothing_to_an_agent if {
	decision := through({"people": both.people}, ["user:ada", "service:agent"])
	decision.allow == false
	decision.reasons[0].field == "principal.id"
	contains(decision.reasons[0].message, "service:agent holds no grant")
}

test_middle_of_the_chain_counts if not through(both, ["user:ada", "user:eve", "service:agent"]).allow

test_arguments_count_for_everybody if {
	narrow := object.union(both, {"people": {"args": {"fields": {"x": {"maximum": 1}}}}})
	decision := through(narrow, ["user:ada", "service:agent"])
	decision.allow == false
	decision.reasons[0].rule == "grants.tool.people"
}

via(names) := object.union(both, {"people": {"via": names}})

test_via_names_the_agent if through(via(["service:agent"]), ["user:ada", "service:agent"]).allow

test_via_leaves_the_holder_free if through(via(["service:agent"]), ["user:ada"]).allow

test_via_names_another_agent if {
	decision := through(via(["service:other"]), ["user:ada", "service:agent"])
	decision.allow == false
	decision.reasons[0].rule == "grants.tool.people"
	decision.reasons[0].field == "session.chain"
	contains(decision.reasons[0].message, "only with service:other")
}

test_via_nobody_keeps_a_grant_to_its_holder if not through(via([]), ["user:ada", "service:agent"]).allow

test_via_names_everybody_behind if {
	not through(via(["service:agent"]), ["user:ada", "service:other", "service:agent"]).allow
	through(via(["service:agent", "service:other"]), ["user:ada", "service:other", "service:agent"]).allow
}

test_via_does_not_look_ahead_of_the_holder if through(via([]), ["service:agent", "user:ada"]).allow

test_via_leaves_out_the_holder_itself if through(via(["service:agent"]), ["user:ada", "service:agent", "user:ada"]).allow

test_via_looks_behind_the_first_place if {
	not through(via([]), ["user:ada", "service:agent", "user:ada"]).allow
}
