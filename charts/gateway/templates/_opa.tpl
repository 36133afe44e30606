{{/*
OPA beside the gateway, as an init container that stays: it is there before the gateway asks and until after the last call has ended.
Its API is on loopback; the kubelet asks another port, which tells health and metrics only.
*/}}
{{- define "firebreak-gateway.opa" -}}
- name: opa
  image: {{ include "firebreak-common.image" .Values.opa.image }}
  imagePullPolicy: {{ .Values.opa.image.pullPolicy }}
  restartPolicy: Always
  args:
    - run
    - --server
    - --addr=127.0.0.1:8181
    - --diagnostic-addr=0.0.0.0:8282
    - --disable-telemetry
    - --log-level=error
  ports:
    - {name: opa-health, containerPort: 8282, protocol: TCP}
  startupProbe:
    httpGet: {path: /health, port: opa-health}
    periodSeconds: 1
    failureThreshold: 30
  readinessProbe:
    httpGet: {path: /health, port: opa-health}
    periodSeconds: 5
  livenessProbe:
    httpGet: {path: /health, port: opa-health}
    periodSeconds: 10
    failureThreshold: 6
  resources:
    {{- include "firebreak-common.resources" .Values.opa.resources | nindent 4 }}
  securityContext:
    {{- include "firebreak-common.containerSecurity" . | nindent 4 }}
{{- end -}}
