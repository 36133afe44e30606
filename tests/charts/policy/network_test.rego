package firebreak.kubernetes_test

import data.firebreak.kubernetes

POLICY := "NetworkPolicy/sums: spec"

test_pod_without_a_network_policy if {
	found := of_network([{"op": "replace", "path": "/spec/podSelector/matchLabels", "value": {"app": "another"}}])
	only(found, concat(".", [POD, "labels"]), "exactly one NetworkPolicy, not 0")
}

test_network_policy_of_another_namespace if {
	found := of_network([{"op": "replace", "path": "/metadata/namespace", "value": "other"}])
	only(found, concat(".", [POD, "labels"]), "exactly one NetworkPolicy, not 0")
}

test_pod_with_two_network_policies if {
	again := json.patch(network_policy, [{"op": "replace", "path": "/metadata/name", "value": "again"}])
	only(of(again), concat(".", [POD, "labels"]), "exactly one NetworkPolicy, not 2")
}

test_selector_by_expressions if {
	found := of_network([{"op": "add", "path": "/spec/podSelector/matchExpressions", "value": []}])
	only(found, concat(".", [POLICY, "podSelector"]), "matchLabels only")
}

test_both_directions if {
	every types in [[], ["Ingress"], ["Egress"]] {
		found := of_network([{"op": "replace", "path": "/spec/policyTypes", "value": types}])
		only(found, concat(".", [POLICY, "policyTypes"]), "Ingress and Egress")
	}
	only(of_network([{"op": "remove", "path": "/spec/policyTypes"}]), concat(".", [POLICY, "policyTypes"]), "Ingress and Egress")
}

test_nobody_at_all_is_allowed if {
	every direction in ["ingress", "egress"] {
		of_network([{"op": "replace", "path": concat("/", ["/spec", direction]), "value": []}]) == set()
		of_network([{"op": "remove", "path": concat("/", ["/spec", direction])}]) == set()
	}
}

test_rule_without_peers if {
	every direction, key in {"ingress": "from", "egress": "to"} {
		at := sprintf("/spec/%s/0/%s", [direction, key])
		start := sprintf("%s.%s[0]", [POLICY, direction])
		only(of_network([{"op": "remove", "path": at}]), start, "must name its peers")
		only(of_network([{"op": "replace", "path": at, "value": []}]), start, "must name its peers")
	}
}

test_rule_without_ports if {
	every direction in ["ingress", "egress"] {
		at := sprintf("/spec/%s/0/ports", [direction])
		start := sprintf("%s.%s[0]", [POLICY, direction])
		only(of_network([{"op": "remove", "path": at}]), start, "must name its ports")
		every ports in [[], [{"protocol": "TCP"}], [{"port": 1, "endPort": 65535}]] {
			only(of_network([{"op": "replace", "path": at, "value": ports}]), start, "must name its ports")
		}
	}
}

peer(value) := of_network([{"op": "replace", "path": "/spec/egress/0/to/0", "value": value}])

test_peer_by_labels if {
	peer({"podSelector": {"matchLabels": {"a": "b"}}}) == set()
	peer({"namespaceSelector": {"matchLabels": {"a": "b"}}, "podSelector": {}}) == set()
	peer({"podSelector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}) == set()
}

test_peer_that_is_everyone if {
	every wrong in [{}, {"podSelector": {}}, {"namespaceSelector": {}}, {"podSelector": {"matchLabels": {}}}] {
		only(peer(wrong), concat(".", [POLICY, "egress[0]"]), "everyone")
	}
}

IPV4 := {range | some range in kubernetes.private_ranges; not contains(range, ":")}

IPV6 := kubernetes.private_ranges - IPV4

block(cidr, excepted) := peer({"ipBlock": {"cidr": cidr, "except": [range | some range in excepted]}})

test_public_addresses if {
	block("0.0.0.0/0", IPV4) == set()
	block("::/0", IPV6) == set()
	peer({"ipBlock": {"cidr": "10.0.0.0/8"}}) == set()
}

test_every_address if {
	count(peer({"ipBlock": {"cidr": "0.0.0.0/0"}})) == count(IPV4)
	count(peer({"ipBlock": {"cidr": "::/0"}})) == count(IPV6)
}

test_all_but_one_private_range if {
	every range in IPV4 {
		only(block("0.0.0.0/0", IPV4 - {range}), concat(".", [POLICY, "egress[0]"]), range)
	}
	every range in IPV6 {
		only(block("::/0", IPV6 - {range}), concat(".", [POLICY, "egress[0]"]), range)
	}
}

test_half_of_every_address if count(block("128.0.0.0/1", set())) > 0

test_range_that_is_excepted_in_part_only if {
	only(block("0.0.0.0/0", ((IPV4 - {"10.0.0.0/8"}) | {"10.0.0.0/16"})), concat(".", [POLICY, "egress[0]"]), "10.0.0.0/8")
}
