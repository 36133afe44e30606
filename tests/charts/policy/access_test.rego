package firebreak.kubernetes_test

named(kind, body) := object.union({"kind": kind, "metadata": {"name": "x", "namespace": "ns"}}, body)

test_service_account_without_a_token if {
	of(named("ServiceAccount", {"automountServiceAccountToken": false})) == set()
	every body in [{}, {"automountServiceAccountToken": true}] {
		only(of(named("ServiceAccount", body)), "ServiceAccount/x: automountServiceAccountToken", "must be false")
	}
}

test_no_rights_beyond_the_namespace if {
	every kind in ["ClusterRole", "ClusterRoleBinding"] {
		only(of(named(kind, {})), concat("", [kind, "/x: kind"]), "must not be")
	}
}

test_binding_of_a_role if {
	of(named("RoleBinding", {"roleRef": {"kind": "Role", "name": "x"}})) == set()
	only(of(named("RoleBinding", {"roleRef": {"kind": "ClusterRole", "name": "admin"}})), "RoleBinding/x: roleRef", "Role")
}

role(rule) := of(named("Role", {"rules": [rule]}))

test_role_names_each_right if {
	good := {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}
	role(good) == set()
	every field in ["verbs", "resources", "apiGroups"] {
		only(role(object.union(good, {field: ["*"]})), sprintf("Role/x: rules[0].%s", [field]), "must name each one")
	}
	only(role({"nonResourceURLs": ["/healthz/*"], "verbs": ["get"]}), "Role/x: rules[0].nonResourceURLs", "each one")
}

text(key, value) := of(named("ConfigMap", {"data": {key: value}}))

test_names_that_look_like_secrets if {
	every key in ["firebreak.yaml", "firebreak--main--tokens.rego", "jwks.json", "ca.crt", "monkey", "tokenizer"] {
		text(key, "x") == set()
	}
	every key in ["password", "DB_PASSWORD", "api-key", "apiKey", "tls.key", "redis.token", "client_secret.json"] {
		only(text(key, "x"), sprintf("ConfigMap/x: data.%s", [key]), "belongs in a Secret")
	}
	binary := of(named("ConfigMap", {"binaryData": {"session-keys": "eA=="}}))
	only(binary, "ConfigMap/x: binaryData.session-keys", "belongs in a Secret")
}

test_values_that_are_secrets if {
	text("a.yaml", "url: redis://cache:6379/0\nmail: a@b") == set()
	only(text("a.yaml", "url: redis://me:hunter2@cache:6379/0"), "ConfigMap/x: data.a.yaml", "password")
	only(text("a.yaml", "-----BEGIN EC PRIVATE KEY-----"), "ConfigMap/x: data.a.yaml", "private key")
}
