# What must stay true of the data however it is edited. A test that fails keeps an edit out of force, so nothing here stands in the
# way of taking a grant away: expectations of what is allowed belong to whoever maintains the grants.
package firebreak.main_test

import data.firebreak.main

allowed(document) if main.decision.allow with input as document

test_strangers_get_nothing if {
	every target, _ in data.grants {
		every stranger in ["", "nobody", "user:", "service:", "spiffe://", "firebreak:", "firebreak:stranger"] {
			not allowed(call_of([stranger], target, {"code": ""}))
			not allowed(describe_of([stranger], target))
		}
	}
}

test_strangers_get_nothing_through_anybody if {
	principals := {principal | some role in data.roles; some principal in role.principals}
	every target, _ in data.grants {
		every principal in principals {
			not allowed(call_of(["nobody", principal], target, {"code": ""}))
			not allowed(call_of([principal, "nobody"], target, {"code": ""}))
		}
	}
}

test_every_role_exists if {
	every grants in data.grants {
		every grant in grants {
			every role in grant.roles {
				data.roles[role]
			}
		}
	}
}

test_every_pattern_is_one if {
	patterns := {pattern |
		some grants in data.grants
		some grant in grants
		walk(grant, [path, pattern])
		path[count(path) - 1] == "pattern"
	}
	every pattern in patterns {
		regex.is_valid(pattern)
	}
}
