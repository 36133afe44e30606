package firebreak.main_test

# A call by user:ada of the method with this full name.
call_by(method) := object.union(
	call_of(["user:ada"], "tool", null),
	{"call": {"method": method}, "target": {"kind": "service"}},
)

method_allowed(names, method) if decide({"methods": names}, call_by(method)).allow

test_method_in_the_grant if method_allowed(["acme.Orders/Get", "acme.Orders/List"], "/acme.Orders/List")

test_method_beside_the_grant if {
	decision := decide({"methods": ["acme.Orders/Get", "acme.Stock/*"]}, call_by("/acme.Orders/Delete"))
	says(decision, "call.method", "must be acme.Orders/Get or acme.Stock/*")
}

test_every_method_of_a_service if method_allowed(["acme.Orders/*"], "/acme.Orders/Delete")

test_every_method_of_another_service if not method_allowed(["acme.Orders/*"], "/acme.OrdersAdmin/Delete")

test_every_method_of_a_longer_package if not method_allowed(["acme.Orders/*"], "/evil.acme.Orders/Delete")

test_longer_method_is_another if not method_allowed(["acme.Orders/Get"], "/acme.Orders/GetAll")

test_method_is_not_told_by_its_case if not method_allowed(["acme.Orders/Get"], "/acme.Orders/get")

test_star_alone_names_nothing if {
	not method_allowed(["*"], "/acme.Orders/Get")
	not method_allowed(["/*"], "/acme.Orders/Get")
	not method_allowed(["acme.Orders/G*"], "/acme.Orders/Get")
}

test_no_method_at_all if not method_allowed([], "/acme.Orders/Get")

test_methods_and_arguments_both_count if {
	parts := {"methods": ["acme.Orders/Get"], "args": {"required": ["id"]}}
	decide(parts, object.union(call_by("/acme.Orders/Get"), {"args": {"id": "1"}})).allow
	not decide(parts, object.union(call_by("/acme.Orders/Get"), {"args": {}})).allow
	not decide(parts, call_by("/acme.Orders/Get")).allow
	not decide(parts, object.union(call_by("/acme.Orders/Delete"), {"args": {"id": "1"}})).allow
}

test_describe_is_of_no_method if decide({"methods": ["acme.Orders/Get"]}, describe_of(["user:ada"], "tool")).allow
