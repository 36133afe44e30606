{{/*
What keeps a service to the names of its `egress`: the egress proxy, beside it in the pod and from an image of its own, so that
no package of the service can change it. An init container that always runs is there before the service and ends after it.
*/}}
{{- define "firebreak-service.proxy" -}}
{{- if .Values.egress -}}
initContainers:
  - name: egress-proxy
    image: {{ include "firebreak-common.image" .Values.egressProxy.image }}
    imagePullPolicy: {{ .Values.egressProxy.image.pullPolicy }}
    restartPolicy: Always
    command: [/app/bin/python, -I, -m, cli.egress_pod]
    args:
      - --service=/etc/firebreak/service.yaml
      - --sockets=/run/firebreak/egress
      - --grace={{ include "firebreak-service.grace" . }}
    # The service does not begin before its way out is there.
    startupProbe:
      exec:
        command: [/app/bin/python, -I, -c, "import os; os.stat('{{ include "firebreak-service.proxySocket" . }}')"]
      timeoutSeconds: 5
      periodSeconds: 1
      failureThreshold: 60
    resources:
      {{- include "firebreak-common.resources" .Values.egressProxy.resources | nindent 6 }}
    securityContext:
      {{- include "firebreak-common.containerSecurity" . | nindent 6 }}
    volumeMounts:
      - name: service
        mountPath: /etc/firebreak/service.yaml
        subPath: service.yaml
        readOnly: true
      - name: egress
        mountPath: /run/firebreak/egress
{{- end }}
{{- end -}}

{{/* The one way from the service to the proxy. Containers of a pod share a network, so it is a socket with a path. */}}
{{- define "firebreak-service.proxySocket" -}}
/run/firebreak/egress/{{ .Values.service.name }}/egress.sock
{{- end -}}

{{/* The host hands 127.0.0.1:3128 on to it. The ports of `egress` are not among those that the service may connect to. */}}
{{- define "firebreak-service.proxyArgs" -}}
{{- if .Values.egress }}
- --egress=unix:{{ include "firebreak-service.proxySocket" . }}
{{- end }}
{{- end -}}

{{/* Read-only: the service connects to the socket, and cannot put another in its place. */}}
{{- define "firebreak-service.proxyMount" -}}
{{- if .Values.egress }}
- name: egress
  mountPath: /run/firebreak/egress
  readOnly: true
{{- end }}
{{- end -}}

{{- define "firebreak-service.proxyVolume" -}}
{{- if .Values.egress }}
- name: egress
  emptyDir:
    medium: Memory
    sizeLimit: 1Mi
{{- end }}
{{- end -}}
