{{/*
Whose objects these are, for the templates of charts/common: sets `who` and `name` in the dict that is given beside `root`. A
template's answer is text, and the scope in `who` is none.
*/}}
{{- define "firebreak-gateway.who" -}}
{{- $who := dict "root" .root "app" "firebreak-gateway" "instance" .root.Release.Name "component" "gateway" "version" .root.Chart.AppVersion -}}
{{- $_ := set . "who" $who -}}
{{- $_ := set . "name" (.name | default "firebreak-gateway") -}}
{{- end -}}

{{/* The Secret whose keys are the files of session keys. */}}
{{- define "firebreak-gateway.sessionKeys" -}}
{{ .Values.sessionKeys.existingSecret | default "firebreak-session-keys" }}
{{- end -}}

{{/* Name of the journal's mode: without PostgreSQL there is no journal unless somebody wants one that ends with its pod. */}}
{{- define "firebreak-gateway.journalMode" -}}
{{ .Values.journal.mode | default (ternary "best-effort" "none" (ne .Values.journal.postgresql.urlSecret.name "")) }}
{{- end -}}

{{/* "yes" where the journal is a file in the pod. */}}
{{- define "firebreak-gateway.journalInPod" -}}
{{- if and (ne (include "firebreak-gateway.journalMode" .) "none") (not .Values.journal.postgresql.urlSecret.name) -}}yes{{- end -}}
{{- end -}}

{{/* A key of a ConfigMap holds no slash. Takes a policy file's path. */}}
{{- define "firebreak-gateway.policyKey" -}}
{{ . | replace "/" "--" }}
{{- end -}}
