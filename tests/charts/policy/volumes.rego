# What pods may mount: files of the cluster's own objects, memory, and Firebreak's own token.
package firebreak.kubernetes

volumes contains {"in": pod.in, "spec": volume, "field": field} if {
	some pod in pods
	some volume in pod.spec.volumes
	field := sprintf("%s.volumes[%s]", [pod.field, volume.name])
}

deny contains says(volume.in, volume.field, text) if {
	some volume in volumes
	some kind in (object.keys(volume.spec) - {"name"})
	not kind in {"configMap", "secret", "emptyDir", "projected", "csi"}
	text := sprintf("must not be a %s", [kind])
}

deny contains says(volume.in, concat(".", [volume.field, "emptyDir"]), "must have medium Memory and a sizeLimit") if {
	some volume in volumes
	"emptyDir" in object.keys(volume.spec)
	not bounded_memory(volume.spec.emptyDir)
}

bounded_memory(directory) if {
	directory.medium == "Memory"
	not object.get(directory, "sizeLimit", "") in {"", "0"}
}

deny contains says(volume.in, concat(".", [volume.field, "csi.driver"]), "must be csi.cert-manager.io") if {
	some volume in volumes
	"csi" in object.keys(volume.spec)
	object.get(volume.spec.csi, "driver", "") != "csi.cert-manager.io"
}

deny contains says(volume.in, field, "must be firebreak: a token for the API server belongs in no pod") if {
	some volume in volumes
	some i, source in volume.spec.projected.sources
	"serviceAccountToken" in object.keys(source)
	object.get(source, ["serviceAccountToken", "audience"], "") != "firebreak"
	field := sprintf("%s.projected.sources[%d].serviceAccountToken.audience", [volume.field, i])
}
