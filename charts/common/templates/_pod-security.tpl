{{/*
The walls of a pod, as fields of its spec. Takes {serviceAccount, runtimeClassName, userNamespace}; the last two may be absent.
Service links would put the address of every neighbour into the environment.
*/}}
{{- define "firebreak-common.podSecurity" -}}
serviceAccountName: {{ .serviceAccount }}
automountServiceAccountToken: false
enableServiceLinks: false
hostNetwork: false
hostPID: false
hostIPC: false
{{- if .userNamespace }}
hostUsers: false
{{- end }}
{{- with .runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile:
    type: RuntimeDefault
{{- end -}}
