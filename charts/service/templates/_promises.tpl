{{/*
What this pod promises, for the service's self-test to try from inside, and what it has to know of a pod for that: what the
base image says of its own packages, and the variables that kubelet, container runtime and image set.
*/}}
{{- define "firebreak-service.promises" -}}
{{- range $name, $made := .Values.promises }}
{{- if $made }}
- --promise={{ $name }}
{{- end }}
{{- end }}
- --network-policy
- --reads=/var/lib/dpkg
{{- if .Values.egress }}
- --reads=/run/firebreak/egress
{{- end }}
- --variable=HOSTNAME
- --variable=KUBERNETES_*
{{- end -}}
