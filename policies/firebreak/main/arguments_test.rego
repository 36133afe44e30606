package firebreak.main_test

test_required if {
	with_args({"required": ["x"]}, {"x": null}).allow
	says(with_args({"required": ["x"]}, {}), "args.x", "must be given")
}

test_required_inside if {
	with_args({"required": ["a.b"]}, {"a": {"b": 1}}).allow
	not with_args({"required": ["a.b"]}, {"a": 1}).allow
}

test_forbidden if {
	with_args({"forbidden": ["x"]}, {}).allow
	says(with_args({"forbidden": ["x"]}, {"x": null}), "args.x", "must be left out")
}

test_only if {
	with_args({"only": ["x"]}, {"x": 1}).allow
	says(with_args({"only": ["x"]}, {"x": 1, "y": 1}), "args", "may hold only x")
	says(with_args({"only": []}, {"x": 1}), "args", "may hold only nobody and nothing")
}

test_unknown_part_of_args if says(with_args({"onli": ["x"]}, {"x": 1}), "args", "does not know")

test_constrained_field_must_be_given if says(with_args({"fields": {"x": {}}}, {}), "args.x", "must be given")

test_optional_field_may_be_missing if {
	with_args({"fields": {"x": {"optional": true, "maximum": 1}}}, {}).allow
	not with_args({"fields": {"x": {"optional": true, "maximum": 1}}}, {"x": 2}).allow
	not with_args({"fields": {"x": {"optional": false, "maximum": 1}}}, {}).allow
}

test_type if {
	with_field({"type": "string"}, "a").allow
	says(with_field({"type": "string"}, 1), "args.x", "must be of type string")
	with_field({"type": "null"}, null).allow
	not with_field({"type": "object"}, []).allow
}

test_type_integer if {
	with_field({"type": "integer"}, 3).allow
	not with_field({"type": "integer"}, 3.5).allow
	not with_field({"type": "integer"}, "3").allow
}

test_values if {
	with_field({"values": ["a", 1]}, 1).allow
	says(with_field({"values": ["a", 1]}, "1"), "args.x", "must be a or 1")
	not with_field({"values": [1]}, true).allow
}

test_minimum if {
	with_field({"minimum": 3}, 3).allow
	says(with_field({"minimum": 3}, 2.9), "args.x", "at least 3")
	not with_field({"minimum": 3}, "9").allow
}

test_maximum if {
	with_field({"maximum": 3}, 3).allow
	says(with_field({"maximum": 3}, 3.1), "args.x", "at most 3")
	not with_field({"maximum": 3}, null).allow
}

test_min_length if {
	with_field({"min_length": 2}, "éà").allow
	says(with_field({"min_length": 2}, "é"), "args.x", "at least 2")
	not with_field({"min_length": 2}, "𝄞").allow
	with_field({"min_length": 2}, "𝄞𝄞𝄞𝄞𝄞𝄞𝄞").allow
	with_field({"min_length": 0}, "").allow
	with_field({"min_length": 2}, [1, 2]).allow
	not with_field({"min_length": 2}, [1]).allow
	not with_field({"min_length": 2}, 22).allow
}

test_max_length if {
	with_field({"max_length": 2}, "éà").allow
	says(with_field({"max_length": 2}, "abc"), "args.x", "at most 2")
	with_field({"max_length": 2}, "𝄞𝄞").allow
	not with_field({"max_length": 2}, "𝄞𝄞𝄞").allow
	not with_field({"max_length": 2}, "𝄞aa").allow
	not with_field({"max_length": 2}, "𝄞𝄞𝄞𝄞𝄞𝄞𝄞").allow
	with_field({"max_length": 0}, "").allow
	not with_field({"max_length": 0}, "a").allow
	with_field({"max_length": 2}, [1, 2]).allow
	not with_field({"max_length": 2}, [1, 2, 3]).allow
	not with_field({"max_length": 2}, {"a": 1, "b": 1, "c": 1}).allow
	not with_field({"max_length": 2}, 1).allow
}

test_pattern if {
	with_field({"pattern": "[a-z]+"}, "abc").allow
	says(with_field({"pattern": "[a-z]+"}, "abc1"), "args.x", "matches [a-z]+ as a whole")
	not with_field({"pattern": "[a-z]+"}, "abc\n").allow
	not with_field({"pattern": "[a-z]+"}, "1\nabc").allow
	not with_field({"pattern": "a|b"}, "ax").allow
	not with_field({"pattern": "1"}, 1).allow
}

test_forbidden_text if {
	with_field({"forbidden_text": ["rm -rf"]}, "ls").allow
	says(with_field({"forbidden_text": ["rm -rf", "sudo"]}, "SUDO ls"), "args.x", "without rm -rf or sudo")
	not with_field({"forbidden_text": ["a"]}, ["a"]).allow
}

test_each if {
	with_field({"each": {"pattern": "[a-z]+", "max_length": 3}}, ["ab", "c"]).allow
	with_field({"each": {"maximum": 1}}, []).allow
	says(with_field({"each": {"max_length": 3}}, ["ab", "abcd"]), "args.x", "each item")
	not with_field({"each": {"maximum": 1}}, 1).allow
	not with_field({"each": {"maximum": 1}}, {"a": 1}).allow
	not with_field({"each": {"each": {"maximum": 1}}}, [[1]]).allow
}

test_unknown_constraint if says(with_field({"max_lenght": 9}, "a"), "args.x", "does not know")

test_constraint_inside if {
	with_args({"fields": {"a.b": {"maximum": 1}}}, {"a": {"b": 1}}).allow
	says(with_args({"fields": {"a.b": {"maximum": 1}}}, {"a": {"b": 2}}), "args.a.b", "at most 1")
}

test_arguments_must_be_an_object if {
	says(with_args({"required": []}, null), "args", "must be a tool's arguments")
	not with_args({"required": []}, [1]).allow
}

test_describe_carries_no_arguments if decide({"args": {"required": ["x"]}}, describe_of(["user:ada"], "tool")).allow

test_values_stay_out_of_reasons if {
	decision := with_field({"max_length": 2, "pattern": "a", "values": ["b"], "forbidden_text": ["cr"], "type": "null"}, "secret")
	decision.allow == false
	count(decision.reasons) == 5
	every reason in decision.reasons {
		not contains(json.marshal(reason), "secret")
	}
}
