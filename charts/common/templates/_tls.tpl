{{/*
Certificates of a pod, at /etc/firebreak/tls: tls.crt, tls.key and ca.crt, which is also what the other side is judged by.
All take {tls: the values' tls, who, name: of the Service object and service account}.
  certManager  cert-manager keeps a Certificate and its Secret NAME-tls
  spiffe       cert-manager's CSI driver makes the key in the pod's node, and no Secret holds it
  secret       a Secret that exists
Certificates of the first two carry the SPIFFE id spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/NAME beside the DNS names.
*/}}
{{- define "firebreak-common.tlsVolume" -}}
name: tls
{{- if eq .tls.mode "spiffe" }}
csi:
  driver: csi.cert-manager.io
  readOnly: true
  volumeAttributes:
    csi.cert-manager.io/issuer-name: {{ include "firebreak-common.tlsIssuer" . }}
    csi.cert-manager.io/issuer-kind: {{ .tls.issuer.kind }}
    csi.cert-manager.io/dns-names: {{ include "firebreak-common.tlsNames" . | fromYamlArray | join "," }}
    csi.cert-manager.io/uri-sans: {{ include "firebreak-common.spiffeId" . }}
    csi.cert-manager.io/key-usages: digital signature,key encipherment,server auth,client auth
    csi.cert-manager.io/duration: 24h
    csi.cert-manager.io/fs-group: "65532"
{{- else }}
secret:
  defaultMode: 0440
  secretName: {{ include "firebreak-common.tlsSecret" . }}
{{- end }}
{{- end -}}

{{- define "firebreak-common.tlsMount" -}}
name: tls
mountPath: /etc/firebreak/tls
readOnly: true
{{- end -}}

{{- define "firebreak-common.tlsSecret" -}}
{{- if eq .tls.mode "certManager" -}}
{{ .name }}-tls
{{- else -}}
{{ required "tls.mode is secret: set tls.secret to the name of a Secret with tls.crt, tls.key and ca.crt" .tls.secret }}
{{- end -}}
{{- end -}}

{{- define "firebreak-common.tlsIssuer" -}}
{{- $lacking := printf "tls.mode is %s: set tls.issuer.name to an Issuer or ClusterIssuer of cert-manager" .tls.mode -}}
{{ required $lacking .tls.issuer.name }}
{{- end -}}

{{/* The names under which a Service object can be called. */}}
{{- define "firebreak-common.tlsNames" -}}
{{- $namespace := .who.root.Release.Namespace -}}
- {{ .name }}
- {{ .name }}.{{ $namespace }}
- {{ .name }}.{{ $namespace }}.svc
- {{ .name }}.{{ $namespace }}.svc.cluster.local
{{- end -}}

{{- define "firebreak-common.spiffeId" -}}
spiffe://{{ .tls.trustDomain | default "cluster.local" }}/ns/{{ .who.root.Release.Namespace }}/sa/{{ .name }}
{{- end -}}

{{/* A Certificate for mode certManager: for both ends of mTLS, with a new key each time that it is renewed. */}}
{{- define "firebreak-common.certificate" -}}
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  {{- include "firebreak-common.metadata" . | nindent 2 }}
spec:
  secretName: {{ include "firebreak-common.tlsSecret" . }}
  issuerRef:
    group: cert-manager.io
    kind: {{ .tls.issuer.kind }}
    name: {{ include "firebreak-common.tlsIssuer" . }}
  duration: 24h
  renewBefore: 8h
  privateKey:
    algorithm: ECDSA
    rotationPolicy: Always
  usages: [digital signature, key encipherment, server auth, client auth]
  dnsNames:
    {{- include "firebreak-common.tlsNames" . | nindent 4 }}
  uris:
    - {{ include "firebreak-common.spiffeId" . }}
{{- end -}}
