# One service as it must be; each test changes one thing of it.
package firebreak.kubernetes_test

import data.firebreak.kubernetes

service_account := {
	"kind": "ServiceAccount",
	"metadata": {"name": "sums", "namespace": "ns"},
	"automountServiceAccountToken": false,
}

container := {
	"name": "service",
	"image": "ghcr.io:443/example/sums:1.0.0",
	"ports": [{"containerPort": 7600}],
	"resources": {
		"limits": {"memory": "1Gi", "cpu": "1", "ephemeral-storage": "64Mi"},
		"requests": {"memory": "1Gi", "cpu": "1", "ephemeral-storage": "64Mi"},
	},
	"securityContext": {
		"runAsUser": 65532,
		"allowPrivilegeEscalation": false,
		"readOnlyRootFilesystem": true,
		"capabilities": {"drop": ["ALL"]},
	},
}

volumes := [
	{"name": "scratch", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
	{"name": "token", "projected": {"sources": [{"serviceAccountToken": {"audience": "firebreak", "path": "token"}}]}},
	{"name": "service", "configMap": {"name": "sums"}},
	{"name": "tls", "csi": {"driver": "csi.cert-manager.io"}},
]

spec := {
	"automountServiceAccountToken": false,
	"securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
	"containers": [container],
	"volumes": volumes,
}

labels := {"app.kubernetes.io/name": "firebreak-service", "app.kubernetes.io/instance": "sums"}

deployment(pod) := {
	"kind": "Deployment",
	"metadata": {"name": "sums", "namespace": "ns"},
	"spec": {"template": {"metadata": {"labels": labels}, "spec": pod}},
}

network_policy := {
	"kind": "NetworkPolicy",
	"metadata": {"name": "sums", "namespace": "ns"},
	"spec": {
		"podSelector": {"matchLabels": labels},
		"policyTypes": ["Ingress", "Egress"],
		"ingress": [{"from": [{"podSelector": {"matchLabels": labels}}], "ports": [{"port": 7600}]}],
		"egress": [{"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}], "ports": [{"port": 443}]}],
	},
}

# What is said of the pod with `changes`, a JSON patch, beside a service account and a network policy as they must be.
of_pod(changes) := messages if {
	things := [service_account, deployment(json.patch(spec, changes)), network_policy]
	messages := kubernetes.deny with input as things
}

# What is said of the container with `changes` in the place of a list of the pod.
of_container(changes) := of_pod([{"op": "replace", "path": "/containers/0", "value": json.patch(container, changes)}])

of_network(changes) := messages if {
	things := [service_account, deployment(spec), json.patch(network_policy, changes)]
	messages := kubernetes.deny with input as things
}

# What is said of one more object.
of(thing) := messages if {
	things := [service_account, deployment(spec), network_policy, thing]
	messages := kubernetes.deny with input as things
}

# Exactly one message, which names the object and begins with the field and ends with the text.
only(messages, start, text) if {
	count(messages) == 1
	some message in messages
	startswith(message, start)
	contains(message, text)
}
