{{/* A service account whose token for the API server is mounted nowhere. Takes {who, name}. */}}
{{- define "firebreak-common.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "firebreak-common.metadata" . | nindent 2 }}
automountServiceAccountToken: false
{{- end -}}
