{{/* The identity of a workload: a token that counts at Firebreak's gateway only, renewed before its hour is over. */}}
{{- define "firebreak-common.tokenVolume" -}}
name: token
projected:
  defaultMode: 0440
  sources:
    - serviceAccountToken:
        audience: firebreak
        expirationSeconds: 3600
        path: token
{{- end -}}

{{- define "firebreak-common.tokenMount" -}}
name: token
mountPath: /var/run/secrets/firebreak
readOnly: true
{{- end -}}
