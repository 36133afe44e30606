package firebreak.kubernetes_test

POD := "Deployment/sums: spec.template.spec"

CONTAINER := concat("", [POD, ".containers[service]"])

test_a_service_as_it_must_be if of_pod([]) == set()

test_pod_fields_that_must_be_written_out if {
	every path, at in {
		"automountServiceAccountToken": "/automountServiceAccountToken",
		"securityContext.runAsNonRoot": "/securityContext/runAsNonRoot",
		"securityContext.seccompProfile.type": "/securityContext/seccompProfile/type",
	} {
		only(of_pod([{"op": "remove", "path": at}]), concat(".", [POD, path]), "must be")
		only(of_pod([{"op": "replace", "path": at, "value": "no"}]), concat(".", [POD, path]), "must be")
	}
}

test_host_namespaces if {
	every name in ["hostNetwork", "hostPID", "hostIPC"] {
		of_pod([{"op": "add", "path": concat("/", ["", name]), "value": false}]) == set()
		found := of_pod([{"op": "add", "path": concat("/", ["", name]), "value": true}])
		only(found, concat(".", [POD, name]), "must be false")
	}
}

test_container_fields_that_must_be_written_out if {
	every name in ["allowPrivilegeEscalation", "readOnlyRootFilesystem"] {
		found := of_container([{"op": "remove", "path": concat("/", ["/securityContext", name])}])
		only(found, concat(".", [CONTAINER, "securityContext", name]), "must be")
	}
}

test_drop_all if {
	every dropped in [[], ["NET_RAW"]] {
		found := of_container([{"op": "replace", "path": "/securityContext/capabilities/drop", "value": dropped}])
		only(found, concat(".", [CONTAINER, "securityContext.capabilities.drop"]), "ALL")
	}
}

test_added_capability if {
	of_container([{"op": "add", "path": "/securityContext/capabilities/add", "value": []}]) == set()
	found := of_container([{"op": "add", "path": "/securityContext/capabilities/add", "value": ["NET_ADMIN"]}])
	only(found, concat(".", [CONTAINER, "securityContext.capabilities.add"]), "must be")
}

test_container_may_not_take_back_what_the_pod_says if {
	every name, pair in {
		"privileged": [false, true],
		"runAsNonRoot": [true, false],
		"procMount": ["Default", "Unmasked"],
		"seccompProfile": [{"type": "RuntimeDefault"}, {"type": "Unconfined"}],
	} {
		of_container([{"op": "add", "path": concat("/", ["/securityContext", name]), "value": pair[0]}]) == set()
		found := of_container([{"op": "add", "path": concat("/", ["/securityContext", name]), "value": pair[1]}])
		only(found, concat(".", [CONTAINER, "securityContext", name]), "must be")
	}
}

test_root_by_number if {
	found := of_container([{"op": "replace", "path": "/securityContext/runAsUser", "value": 0}])
	only(found, concat(".", [CONTAINER, "securityContext.runAsUser"]), "must not be 0")
	pod := of_pod([{"op": "add", "path": "/securityContext/runAsUser", "value": 0}])
	only(pod, concat(".", [POD, "securityContext.runAsUser"]), "must not be 0")
}

test_every_bound if {
	every bound in ["limits", "requests"] {
		every resource in ["memory", "cpu", "ephemeral-storage"] {
			found := of_container([{"op": "remove", "path": concat("/", ["/resources", bound, resource])}])
			only(found, concat(".", [CONTAINER, "resources", bound, resource]), "must be set")
		}
	}
}

test_host_port if {
	of_container([{"op": "add", "path": "/ports/0/hostPort", "value": 0}]) == set()
	found := of_container([{"op": "add", "path": "/ports/0/hostPort", "value": 7600}])
	only(found, concat(".", [CONTAINER, "ports"]), "hostPort")
}

image(name) := of_container([{"op": "replace", "path": "/image", "value": name}])

test_image if {
	digest := "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	image(concat("@", ["example/sums", digest])) == set()
	image("sums:v1") == set()
	every name in ["sums", "sums:latest", "registry:5000/sums", "registry:5000/sums:latest", "sums@sha256:12", ""] {
		only(image(name), concat(".", [CONTAINER, "image"]), "digest")
	}
}

test_containers_beside_the_first_are_judged if {
	every list in ["initContainers", "ephemeralContainers"] {
		bare := {"op": "add", "path": concat("", ["/", list]), "value": [object.union(container, {"image": "x:latest"})]}
		only(of_pod([bare]), sprintf("%s.%s[service].image", [POD, list]), "digest")
	}
}

test_pods_are_found_in_every_kind if {
	bad := json.patch(spec, [{"op": "add", "path": "/hostPID", "value": true}])
	within := {
		"Pod": {"metadata": {"name": "x", "namespace": "ns", "labels": labels}, "spec": bad},
		"CronJob": {
			"metadata": {"name": "x", "namespace": "ns"},
			"spec": {"jobTemplate": {"spec": {"template": {"metadata": {"labels": labels}, "spec": bad}}}},
		},
	}
	every kind, body in within {
		only(of(object.union(body, {"kind": kind})), concat("", [kind, "/x: spec"]), "must be false")
	}
}
