# What objects beside pods may say: who has which rights, and that secrets stay in Secrets.
package firebreak.kubernetes

deny contains says(thing, "automountServiceAccountToken", "must be false") if {
	some thing in input
	thing.kind == "ServiceAccount"
	object.get(thing, "automountServiceAccountToken", "not set") != false
}

deny contains says(thing, "kind", "must not be: Firebreak has rights in its own namespace only") if {
	some thing in input
	thing.kind in {"ClusterRole", "ClusterRoleBinding"}
}

deny contains says(thing, "roleRef.kind", "must be Role: a ClusterRole may grow without anybody looking here") if {
	some thing in input
	thing.kind == "RoleBinding"
	object.get(thing, ["roleRef", "kind"], "") != "Role"
}

deny contains says(thing, sprintf("rules[%d].%s", [i, field]), "must name each one, not *") if {
	some thing in input
	thing.kind in {"Role", "ClusterRole"}
	some i, rule in thing.rules
	some field in ["verbs", "resources", "apiGroups", "nonResourceURLs"]
	some name in rule[field]
	contains(name, "*")
}

# The last word of a key, but for its ending.
secret_names := concat("", ["(?i)(^|[-_.])(", concat("|", secret_words), ")([-_.](txt|json))?$"])

secret_words := ["passwords?", "passwd", "secrets?", "tokens?", "credentials?", "(private|api|session)?[-_.]?keys?"]

# A private key, or an address with a password in it.
secret_values := `-----BEGIN [A-Z ]*PRIVATE KEY-----|[a-z]://[^/@\s:]*:[^/@\s]+@`

deny contains says(thing, sprintf("%s.%s", [list, key]), "looks like a secret by its name: it belongs in a Secret") if {
	some thing in input
	thing.kind == "ConfigMap"
	some list in ["data", "binaryData"]
	some key, _ in thing[list]
	regex.match(secret_names, key)
}

deny contains says(thing, sprintf("data.%s", [key]), "holds a private key or a password: it belongs in a Secret") if {
	some thing in input
	thing.kind == "ConfigMap"
	some key, value in thing.data
	regex.match(secret_values, value)
}
