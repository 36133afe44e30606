package firebreak.main_test

prompt := {"messages": 2, "characters": 10, "roles": ["system", "user"], "tools": ["calculator"]}

test_max_messages if {
	with_prompt({"max_messages": 2}, prompt).allow
	says(with_prompt({"max_messages": 1}, prompt), "prompt.messages", "at most 1")
}

test_max_characters if {
	with_prompt({"max_characters": 10}, prompt).allow
	says(with_prompt({"max_characters": 9}, prompt), "prompt.characters", "at most 9")
}

test_roles if {
	with_prompt({"roles": ["user", "system"]}, prompt).allow
	says(with_prompt({"roles": ["user"]}, prompt), "prompt.roles", "only user")
}

test_tools if {
	with_prompt({"tools": ["calculator", "handbook"]}, prompt).allow
	says(with_prompt({"tools": ["handbook"]}, prompt), "prompt.tools", "only handbook")
}

test_prompt_that_is_none if {
	not with_prompt({"max_messages": 1}, null).allow
	not with_prompt({"max_characters": 1}, null).allow
	not with_prompt({"roles": []}, null).allow
	not with_prompt({"tools": []}, null).allow
}

test_numbers_and_names_of_another_type if {
	not with_prompt({"max_messages": 1}, object.union(prompt, {"messages": null})).allow
	not with_prompt({"max_characters": 1}, object.union(prompt, {"characters": null})).allow
	not with_prompt({"roles": ["user"]}, object.union(prompt, {"roles": {"a": "user"}})).allow
	not with_prompt({"tools": ["calculator"]}, object.union(prompt, {"tools": {"a": "calculator"}})).allow
}

test_unknown_part_of_prompt if says(with_prompt({"max_tokens": 1}, prompt), "prompt.max_tokens", "does not know")

test_describe_carries_no_prompt if decide({"prompt": {"max_messages": 1}}, describe_of(["user:ada"], "tool")).allow
