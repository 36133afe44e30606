{{/* The walls of a container: the value of its securityContext. Said for each: none leans on its pod. */}}
{{- define "firebreak-common.containerSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
privileged: false
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}
