package firebreak.main_test

import data.firebreak.main

limited(people, agents) := obligations if {
	grants := object.union(several("people", people), several("agents", agents))
	obligations := main.decision.obligations with input as call_of(["user:ada", "service:agent"], "tool", {})
		with data.roles as roles
		with data.grants as {"tool": grants}
}

several(role, parts) := {sprintf("%s-%d", [role, i]): object.union({"roles": [role], "actions": ["call"]}, part) |
	some i, part in parts
}

test_limits_ride_along if {
	limited([{"limits": {"timeout_ms": 500, "response_bytes": 9}}], [{}]) == {"timeout_ms": 500, "response_bytes": 9}
}

test_no_limits if limited([{}], [{}]) == {}

test_most_generous_of_one_principal if {
	limited([{"limits": {"timeout_ms": 500}}, {"limits": {"timeout_ms": 900}}], [{}]) == {"timeout_ms": 900}
	limited([{"limits": {"timeout_ms": 500}}, {}], [{}]) == {}
}

test_strictest_of_the_chain if {
	limited([{"limits": {"timeout_ms": 500}}], [{"limits": {"timeout_ms": 300}}]) == {"timeout_ms": 300}
	limited([{"limits": {"timeout_ms": 500}}], [{"limits": {"response_bytes": 3}}]) == {"timeout_ms": 500, "response_bytes": 3}
}

test_only_covering_grants_limit if {
	limited([{"limits": {"timeout_ms": 500}}, {"actions": ["describe"]}], [{}]) == {"timeout_ms": 500}
}

test_limits_that_are_none_allow_nothing if {
	says(decide({"limits": {"timeout_ms": 0}}, call_of(["user:ada"], "tool", {})), "limits", "positive numbers")
	not decide({"limits": {"timeout_ms": "5"}}, call_of(["user:ada"], "tool", {})).allow
	not decide({"limits": {"timeout": 5}}, call_of(["user:ada"], "tool", {})).allow
}
