{{/* Arguments of the service's host; the image's entrypoint is the interpreter with `-I -m firebreak_runtime`. */}}
{{- define "firebreak-service.args" -}}
- --service=/app/service
- --listen=0.0.0.0:7600
{{- /* Without certificates the service must be told that its calls go in the clear: it would not do so by itself. */}}
- --gateway={{ ternary "plaintext:" "" (eq .Values.tls.mode "off") }}{{ .Values.gateway.address }}
- --token-file=/var/run/secrets/firebreak/token
- --grace={{ include "firebreak-service.grace" . }}
- --enclose=best-effort
- --readable=/
- --writable=/tmp
- --writable=/dev/shm
{{- /* Names are asked for over TCP (see dnsConfig): the host's walls leave no UDP. */}}
- --port=53
{{- include "firebreak-service.proxyArgs" . }}
{{- include "firebreak-service.promises" . }}
{{- if .Values.secret }}
- --secrets=/var/run/secrets/service
{{- end }}
{{- if ne .Values.tls.mode "off" }}
- --tls-certificate=/etc/firebreak/tls/tls.crt
- --tls-key=/etc/firebreak/tls/tls.key
- --tls-client-ca=/etc/firebreak/tls/ca.crt
- --gateway-ca=/etc/firebreak/tls/ca.crt
- --health=0.0.0.0:7601
{{- end }}
{{- end -}}

{{/*
How the kubelet asks. Its gRPC probe speaks no TLS: with it health, and nothing else, has a port of its own. The NetworkPolicy opens
that to nobody; a node reaches its own pods.
*/}}
{{- define "firebreak-service.asks" -}}
grpc:
  port: {{ ternary 7600 7601 (eq .Values.tls.mode "off") }}
timeoutSeconds: 3
{{- end -}}

{{/*
Health is NOT_SERVING while the object is loaded, at the start and again after a crash: a start gets the whole
start_timeout, and a pod that serves nothing is ended only when loading it again would have had the time to help.
*/}}
{{- define "firebreak-service.probes" -}}
{{- $start := include "firebreak-service.start" . | int -}}
startupProbe:
  {{- include "firebreak-service.asks" . | nindent 2 }}
  periodSeconds: 2
  failureThreshold: {{ add (div $start 2) 5 }}
readinessProbe:
  {{- include "firebreak-service.asks" . | nindent 2 }}
  periodSeconds: 5
  failureThreshold: 2
livenessProbe:
  {{- include "firebreak-service.asks" . | nindent 2 }}
  periodSeconds: 10
  failureThreshold: {{ add (div $start 10) 3 }}
{{- end -}}

{{/* The gateway looks the pods up again when one ends, and must not find that one: name servers know of it some seconds later. */}}
{{- define "firebreak-service.lifecycle" -}}
{{- with .Values.preStop -}}
lifecycle:
  preStop:
    exec:
      command: [python, -I, -c, "import time; time.sleep({{ . }})"]
{{- end -}}
{{- end -}}

{{- define "firebreak-service.mounts" -}}
- name: service
  mountPath: /app/service/service.yaml
  subPath: service.yaml
  readOnly: true
- {{ include "firebreak-common.tokenMount" . | indent 2 | trim }}
- {{ include "firebreak-common.scratchMount" . | indent 2 | trim }}
- name: shared-memory
  mountPath: /dev/shm
{{- include "firebreak-service.proxyMount" . }}
{{- if .Values.secret }}
- name: secret
  mountPath: /var/run/secrets/service
  readOnly: true
{{- end }}
{{- if ne .Values.tls.mode "off" }}
- {{ include "firebreak-common.tlsMount" . | indent 2 | trim }}
{{- end }}
{{- end -}}

{{- define "firebreak-service.volumes" -}}
- name: service
  configMap:
    name: {{ .Values.service.name }}
- {{ include "firebreak-common.tokenVolume" . | indent 2 | trim }}
- {{ include "firebreak-common.scratchVolume" .Values.resources.scratch | indent 2 | trim }}
- name: shared-memory
  emptyDir:
    medium: Memory
    sizeLimit: {{ .Values.resources.scratch }}
{{- include "firebreak-service.proxyVolume" . }}
{{- with .Values.secret }}
- name: secret
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- if ne .Values.tls.mode "off" }}
{{- $of := dict "root" . "tls" .Values.tls }}
{{- include "firebreak-service.who" $of }}
- {{ include "firebreak-common.tlsVolume" $of | indent 2 | trim }}
{{- end }}
{{- end -}}
