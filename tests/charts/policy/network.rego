# Who may talk to whom: one policy for each pod, in both directions, and nothing in it that means "everything".
package firebreak.kubernetes

network_policies contains thing if {
	some thing in input
	thing.kind == "NetworkPolicy"
}

namespace(thing) := object.get(thing, ["metadata", "namespace"], "")

deny contains says(pod.in, concat(".", [pod.field, "labels"]), text) if {
	some pod in pods
	number := count([1 | some policy in network_policies; selects(policy, pod)])
	number != 1
	text := sprintf("must be selected by exactly one NetworkPolicy, not %d", [number])
}

selects(policy, pod) if {
	namespace(policy) == namespace(pod.in)
	every label, value in object.get(policy, ["spec", "podSelector", "matchLabels"], {}) {
		pod.labels[label] == value
	}
}

deny contains says(policy, "spec.podSelector", "must select by matchLabels only") if {
	some policy in network_policies
	object.keys(object.get(policy, ["spec", "podSelector"], {})) - {"matchLabels"} != set()
}

deny contains says(policy, "spec.policyTypes", "must be Ingress and Egress") if {
	some policy in network_policies
	{type | some type in policy.spec.policyTypes} != {"Ingress", "Egress"}
}

# Undefined policyTypes make the rule above undefined.
deny contains says(policy, "spec.policyTypes", "must be Ingress and Egress") if {
	some policy in network_policies
	not policy.spec.policyTypes
}

network_rules contains {"in": policy, "spec": rule, "peers": peers, "field": field} if {
	some policy in network_policies
	some direction, key in {"ingress": "from", "egress": "to"}
	some i, rule in policy.spec[direction]
	peers := object.get(rule, key, [])
	field := sprintf("spec.%s[%d]", [direction, i])
}

deny contains says(rule.in, rule.field, "must name its peers: without them it is everyone") if {
	some rule in network_rules
	count(rule.peers) == 0
}

deny contains says(rule.in, rule.field, "must name its ports: without them it is every port") if {
	some rule in network_rules
	not names_ports(rule.spec)
}

names_ports(rule) if {
	count(rule.ports) > 0
	every port in rule.ports {
		port.port
		not port.endPort
	}
}

deny contains says(rule.in, rule.field, "has a peer that is everyone: give it labels or an ipBlock") if {
	some rule in network_rules
	some peer in rule.peers
	not peer.ipBlock
	not narrow(object.get(peer, "podSelector", {}))
	not narrow(object.get(peer, "namespaceSelector", {}))
}

narrow(selector) if count(object.get(selector, "matchLabels", {})) > 0

narrow(selector) if count(object.get(selector, "matchExpressions", [])) > 0

# Private, shared, loopback and link-local addresses; the last ones hold the clouds' metadata services.
private_ranges := {
	"10.0.0.0/8",
	"100.64.0.0/10",
	"127.0.0.0/8",
	"169.254.0.0/16",
	"172.16.0.0/12",
	"192.168.0.0/16",
	"::1/128",
	"fc00::/7",
	"fe80::/10",
}

# A block that is wider than any network of one's own: two halves of everything are everything, too.
deny contains says(rule.in, rule.field, sprintf("%s must except %s", [peer.ipBlock.cidr, range])) if {
	some rule in network_rules
	some peer in rule.peers
	to_number(split(peer.ipBlock.cidr, "/")[1]) < 8
	some range in private_ranges
	net.cidr_contains(peer.ipBlock.cidr, range)
	not excepted(peer.ipBlock, range)
}

excepted(block, range) if {
	some cidr in block.except
	net.cidr_contains(cidr, range)
}
