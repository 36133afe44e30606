# METADATA
# title: What Firebreak asks of every object that its charts render
# description: >-
#   `input` is an array of all objects that are rendered together. `deny` is the set of what is wrong with them, each as
#   "Kind/name: field: what must be". What cannot be recognised as right is wrong.
# scope: package
package firebreak.kubernetes

who(thing) := sprintf("%s/%s", [thing.kind, thing.metadata.name])

says(thing, field, text) := sprintf("%s: %s: %s", [who(thing), field, text])

# METADATA
# title: Pods
# description: Everything with containers, wherever it is nested, so that a kind that nobody thought of is judged too.
pods contains {"in": thing, "spec": spec, "labels": labels, "field": concat(".", path)} if {
	some thing in input
	walk(thing, [path, spec])
	is_array(spec.containers)
	outside := array.slice(path, 0, count(path) - 1)
	labels := object.get(thing, array.concat(outside, ["metadata", "labels"]), {})
}

containers contains {"in": pod.in, "pod": pod.spec, "spec": container, "field": field} if {
	some pod in pods
	some list in ["containers", "initContainers", "ephemeralContainers"]
	some container in pod.spec[list]
	field := sprintf("%s.%s[%s]", [pod.field, list, container.name])
}

# What must be written out with this value.
required_of_pods := [
	{"path": ["automountServiceAccountToken"], "value": false},
	{"path": ["securityContext", "runAsNonRoot"], "value": true},
	{"path": ["securityContext", "seccompProfile", "type"], "value": "RuntimeDefault"},
]

required_of_containers := [
	{"path": ["securityContext", "allowPrivilegeEscalation"], "value": false},
	{"path": ["securityContext", "readOnlyRootFilesystem"], "value": true},
	{"path": ["securityContext", "capabilities", "drop"], "value": ["ALL"]},
]

# What may be left out, because this is its default or the pod's value counts.
defaults_of_pods := [
	{"path": ["hostNetwork"], "value": false},
	{"path": ["hostPID"], "value": false},
	{"path": ["hostIPC"], "value": false},
]

defaults_of_containers := [
	{"path": ["securityContext", "privileged"], "value": false},
	{"path": ["securityContext", "runAsNonRoot"], "value": true},
	{"path": ["securityContext", "seccompProfile", "type"], "value": "RuntimeDefault"},
	{"path": ["securityContext", "capabilities", "add"], "value": []},
	{"path": ["securityContext", "procMount"], "value": "Default"},
]

deny contains wrong(pod, want) if {
	some pod in pods
	some want in required_of_pods
	object.get(pod.spec, want.path, "not set") != want.value
}

deny contains wrong(pod, want) if {
	some pod in pods
	some want in defaults_of_pods
	object.get(pod.spec, want.path, want.value) != want.value
}

deny contains wrong(container, want) if {
	some container in containers
	some want in required_of_containers
	object.get(container.spec, want.path, "not set") != want.value
}

deny contains wrong(container, want) if {
	some container in containers
	some want in defaults_of_containers
	object.get(container.spec, want.path, want.value) != want.value
}

wrong(part, want) := says(part.in, concat(".", [part.field, concat(".", want.path)]), text) if {
	text := sprintf("must be %v", [want.value])
}

deny contains says(part.in, concat(".", [part.field, "securityContext.runAsUser"]), "must not be 0") if {
	some part in (pods | containers)
	part.spec.securityContext.runAsUser == 0
}

deny contains says(container.in, field, "must be set") if {
	some container in containers
	some bound in ["limits", "requests"]
	some resource in ["memory", "cpu", "ephemeral-storage"]
	object.get(container.spec, ["resources", bound, resource], "") == ""
	field := sprintf("%s.resources.%s.%s", [container.field, bound, resource])
}

deny contains says(container.in, concat(".", [container.field, "ports"]), "must open no hostPort") if {
	some container in containers
	some port in container.spec.ports
	object.get(port, "hostPort", 0) != 0
}

deny contains says(container.in, concat(".", [container.field, "image"]), text) if {
	some container in containers
	not pinned(object.get(container.spec, "image", ""))
	text := "must have a digest, or a tag other than latest"
}

pinned(image) if regex.match(`@sha256:[0-9a-f]{64}$`, image)

pinned(image) if {
	regex.match(`^[^@]*:[\w][\w.-]*$`, image)
	parts := split(image, "/")
	last := parts[count(parts) - 1]
	[_, tag] := split(last, ":")
	tag != "latest"
}
