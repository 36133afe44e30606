# What a grant's `methods` asks of a call: least privilege by method, where a service has many.
package firebreak.main

# METADATA
# title: Methods satisfied
# description: Whether the call's method is one of those that a grant names. A Describe is of the service as a whole.
methods_satisfied(_) if input.call.action == "describe"

methods_satisfied(names) if {
	input.call.action != "describe"
	some name in names
	names_method(name, input.call.method)
}

# METADATA
# title: Names method
# description: Whether "package.Service/Method", or "package.Service/*" for all of a service, names the method with this full name.
names_method(name, method) if method == concat("", ["/", name])

names_method(name, method) if {
	endswith(name, "/*")
	startswith(method, concat("", ["/", trim_suffix(name, "*")]))
}
