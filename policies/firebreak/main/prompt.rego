# What a grant's `prompt` asks of the input of an agent or a model, which policy sees by its numbers and names.
package firebreak.main

# METADATA
# title: Prompt satisfied
# description: Whether the prompt satisfies a grant's `prompt`. A Describe carries none.
prompt_satisfied(_) if input.call.action == "describe"

prompt_satisfied(prompt) if {
	input.call.action != "describe"
	every part, want in prompt {
		prompt_fits(part, want)
	}
}

# METADATA
# title: Prompt fits
# description: Whether the prompt satisfies one part of a grant's `prompt`.
prompt_fits("max_messages", most) if {
	is_number(input.prompt.messages)
	input.prompt.messages <= most
}

prompt_fits("max_characters", most) if {
	is_number(input.prompt.characters)
	input.prompt.characters <= most
}

prompt_fits("roles", names) if {
	is_array(input.prompt.roles)
	every name in input.prompt.roles {
		name in names
	}
}

prompt_fits("tools", names) if {
	is_array(input.prompt.tools)
	every name in input.prompt.tools {
		name in names
	}
}
