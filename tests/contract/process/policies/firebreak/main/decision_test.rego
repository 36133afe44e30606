package firebreak.main_test

import data.firebreak.main

test_a_developer_may if {
	main.decision.allow with input as {"principal": {"id": "user:developer"}, "args": {"text": "hello"}}
}

test_nobody_may_say_what_is_forbidden if {
	not main.decision.allow with input as {"principal": {"id": "user:developer"}, "args": {"text": "forbidden"}}
}

test_strangers_may_not if {
	not main.decision.allow with input as {"principal": {"id": "user:stranger"}, "args": {"text": "hello"}}
}
