{{- define "firebreak-gateway.mounts" -}}
- {name: config, mountPath: /etc/firebreak/firebreak.yaml, subPath: firebreak.yaml, readOnly: true}
{{- if include "firebreak-gateway.identitySources" . }}
- {name: identity, mountPath: /etc/firebreak/identity, readOnly: true}
{{- end }}
- {name: services, mountPath: /etc/firebreak/services, readOnly: true}
- {name: policies, mountPath: /etc/firebreak/policies, readOnly: true}
- {name: session-keys, mountPath: /etc/firebreak/session-keys, readOnly: true}
- {{ include "firebreak-common.scratchMount" . | indent 2 | trim }}
{{- if ne .Values.tls.mode "off" }}
- {{ include "firebreak-common.tlsMount" . | indent 2 | trim }}
{{- end }}
{{- if .Values.redis.passwordSecret.name }}
- {name: redis, mountPath: /var/run/secrets/redis, readOnly: true}
{{- end }}
{{- if .Values.redis.caConfigMap }}
- {name: redis-ca, mountPath: /etc/firebreak/redis, readOnly: true}
{{- end }}
{{- if ne (include "firebreak-gateway.journalMode" .) "none" }}
- {name: journal-dsn, mountPath: /var/run/secrets/journal, readOnly: true}
{{- end }}
{{- end -}}

{{- define "firebreak-gateway.volumes" -}}
- name: config
  configMap:
    name: firebreak-gateway
    items: [{key: firebreak.yaml, path: firebreak.yaml}]
{{- with include "firebreak-gateway.identitySources" . }}
- name: identity
  projected:
    sources:
      {{- . | trim | nindent 6 }}
{{- end }}
{{ include "firebreak-gateway.servicesVolume" . }}
{{ include "firebreak-gateway.policiesVolume" . }}
- name: session-keys
  secret:
    secretName: {{ include "firebreak-gateway.sessionKeys" . }}
    defaultMode: 0440
- {{ include "firebreak-common.scratchVolume" .Values.resources.scratch | indent 2 | trim }}
{{- if ne .Values.tls.mode "off" }}
{{- $of := dict "root" . "tls" .Values.tls }}
{{- include "firebreak-gateway.who" $of }}
- {{ include "firebreak-common.tlsVolume" $of | indent 2 | trim }}
{{- end }}
{{- with .Values.redis.passwordSecret }}
{{- if .name }}
- {{ include "firebreak-gateway.secretVolume" (dict "name" "redis" "secret" . "path" "password") | indent 2 | trim }}
{{- end }}
{{- end }}
{{- with .Values.redis.caConfigMap }}
- name: redis-ca
  configMap:
    name: {{ . }}
    items: [{key: ca.crt, path: ca.crt}]
{{- end }}
{{- if ne (include "firebreak-gateway.journalMode" .) "none" }}
{{- $dsn := dict "name" "journal-dsn" "secret" .Values.journal.postgresql.urlSecret "path" "dsn" }}
- {{ include "firebreak-gateway.secretVolume" $dsn | indent 2 | trim }}
{{- end }}
{{- end -}}

{{/* One key of a Secret as one file. Takes {name, secret: {name, key}, path}. */}}
{{- define "firebreak-gateway.secretVolume" -}}
name: {{ .name }}
secret:
  secretName: {{ .secret.name }}
  defaultMode: 0440
  items: [{key: {{ .secret.key | quote }}, path: {{ .path }}}]
{{- end -}}

{{/* What /etc/firebreak/identity is made of; empty where all keys are fetched and no authority is named. */}}
{{- define "firebreak-gateway.identitySources" -}}
{{- with include "firebreak-gateway.jwksFiles" . | fromYaml | keys | sortAlpha }}
- configMap:
    name: firebreak-gateway
    items:
      {{- range . }}
      - {key: {{ . }}, path: {{ . }}}
      {{- end }}
{{- end }}
{{- with .Values.serviceAccounts.caConfigMap }}
- configMap:
    name: {{ . }}
    items: [{key: ca.crt, path: ca.crt}]
{{- end }}
{{- end -}}

{{/* Key sets that are text in the values, by file. */}}
{{- define "firebreak-gateway.jwksFiles" -}}
{{- $files := dict -}}
{{- $accounts := .Values.serviceAccounts -}}
{{- $users := .Values.users -}}
{{- if not (hasPrefix "https://" $accounts.jwks) }}{{ $_ := set $files "services.json" $accounts.jwks }}{{ end -}}
{{- if and $users.issuer (not (hasPrefix "https://" $users.jwks)) }}{{ $_ := set $files "users.json" $users.jwks }}{{ end -}}
{{- toYaml $files -}}
{{- end -}}

{{- define "firebreak-gateway.servicesVolume" -}}
- name: services
  projected:
    sources:
      - configMap:
          name: firebreak-gateway-services
          items:
            {{- range $name := include "firebreak-gateway.served" . | fromYamlArray }}
            - {key: {{ $name }}.yaml, path: {{ $name }}/service.yaml}
            {{- end }}
{{- end -}}

{{- define "firebreak-gateway.policiesVolume" -}}
- name: policies
  projected:
    sources:
      - configMap:
          name: firebreak-gateway-policies
          items:
            # Read by nobody. Where files come or go it has another name, and the kubelet, which gives a volume all of its keys
            # or none, leaves the pods that know the former files only with those as they were: never one half of a change.
            - {key: {{ include "firebreak-gateway.policyFiles" . }}, path: files}
            {{- range $path, $_ := .Values.policies }}
            - {key: {{ include "firebreak-gateway.policyKey" $path }}, path: current/{{ $path }}}
            {{- end }}
{{- end -}}
