# What a grant's `args` asks of a tool call's arguments.
package firebreak.main

# No JSON value is a set, so this never equals an argument.
missing := {"missing"}

# METADATA
# title: Arguments satisfied
# description: Whether the call's arguments satisfy a grant's `args`. A Describe carries no arguments.
args_satisfied(_) if input.call.action == "describe"

args_satisfied(args) if {
	input.call.action != "describe"
	is_object(input.args)
	every part, want in args {
		args_fit(part, want)
	}
}

# METADATA
# title: Arguments fit
# description: Whether the arguments satisfy one part of a grant's `args`.
args_fit("fields", fields) if {
	every path, constraint in fields {
		arg_suits(path, constraint)
	}
}

args_fit("required", names) if {
	every name in names {
		arg_at(name) != missing
	}
}

args_fit("forbidden", names) if {
	every name in names {
		arg_at(name) == missing
	}
}

args_fit("only", names) if {
	every name, _ in input.args {
		name in names
	}
}

arg_suits(path, constraint) if {
	value := arg_at(path)
	value != missing
	every kind, want in constraint {
		meets(kind, want, value)
	}
}

arg_suits(path, constraint) if {
	constraint.optional == true
	arg_at(path) == missing
}

# METADATA
# title: Meets
# description: Whether a value meets one constraint of its field.
meets(kind, want, value) if simply_meets(kind, want, value)

meets("optional", want, _) if is_boolean(want)

meets("each", constraint, value) if {
	is_array(value)
	every item in value {
		every kind, want in constraint {
			simply_meets(kind, want, item)
		}
	}
}

simply_meets("type", want, value) if type_name(value) == want

simply_meets("type", "integer", value) if {
	is_number(value)
	floor(value) == value
}

simply_meets("values", want, value) if value in want

simply_meets("minimum", want, value) if {
	is_number(value)
	value >= want
}

simply_meets("maximum", want, value) if {
	is_number(value)
	value <= want
}

simply_meets("min_length", want, value) if {
	type_name(value) in measurable
	at_least(value, want)
}

simply_meets("max_length", want, value) if {
	type_name(value) in measurable
	at_most(value, want)
}

# The whole value must match, not a part of it.
simply_meets("pattern", want, value) if {
	is_string(value)
	regex.match(concat("", [`\A(?:`, want, `)\z`]), value)
}

simply_meets("forbidden_text", want, value) if {
	is_string(value)
	every text in want {
		not contains(lower(value), lower(text))
	}
}

measurable := {"string", "array", "object"}

# Engines count a character beyond U+FFFF as one or as two. Where that can matter, characters are counted one by one.
at_least(value, least) if {
	not is_string(value)
	count(value) >= least
}

at_least(value, least) if {
	is_string(value)
	count(value) >= 2 * least
}

at_least(value, least) if {
	is_string(value)
	count(value) < 2 * least
	count(split(value, "")) >= least
}

at_most(value, most) if count(value) <= most

at_most(value, most) if {
	is_string(value)
	count(value) > most
	count(value) <= 2 * most
	regex.match(`[\x{10000}-\x{10FFFF}]`, value)
	count(split(value, "")) <= most
}

# METADATA
# title: Argument at
# description: The argument at a path such as "filter.limit", or `missing`.
arg_at(path) := object.get(input.args, split(path, "."), missing)
