package firebreak.kubernetes_test

VOLUME := concat("", [POD, ".volumes[x]"])

of_volume(source) := of_pod([{"op": "add", "path": "/volumes/-", "value": object.union({"name": "x"}, source)}])

test_files_of_the_cluster if {
	of_volume({"configMap": {"name": "x"}}) == set()
	of_volume({"secret": {"secretName": "x"}}) == set()
	of_volume({"projected": {"sources": [{"configMap": {"name": "x"}}]}}) == set()
}

test_host_path if only(of_volume({"hostPath": {"path": "/"}}), VOLUME, "must not be a hostPath")

test_disk if only(of_volume({"persistentVolumeClaim": {"claimName": "x"}}), VOLUME, "must not be a persistentVolumeClaim")

test_scratch_is_bounded_memory if {
	of_volume({"emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}) == set()
	every wrong in [{}, {"medium": "Memory"}, {"sizeLimit": "1Mi"}, {"medium": "Memory", "sizeLimit": "0"}] {
		only(of_volume({"emptyDir": wrong}), VOLUME, "medium Memory")
	}
}

test_csi_driver if {
	of_volume({"csi": {"driver": "csi.cert-manager.io"}}) == set()
	only(of_volume({"csi": {"driver": "secrets-store.csi.k8s.io"}}), VOLUME, "must be csi.cert-manager.io")
}

of_token(token) := of_volume({"projected": {"sources": [{"serviceAccountToken": token}]}})

test_token_for_the_gateway_only if {
	of_token({"path": "token", "audience": "firebreak"}) == set()
	only(of_token({"path": "token"}), VOLUME, "must be firebreak")
	only(of_token({"path": "token", "audience": "https://kubernetes.default.svc"}), VOLUME, "must be firebreak")
}
