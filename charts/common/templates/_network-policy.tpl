{{/*
Everything that is not allowed is denied, in both directions: the head of a NetworkPolicy up to and with policyTypes.
Add `ingress:` and `egress:` behind it. Takes {who, name}.
*/}}
{{- define "firebreak-common.denyAll" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "firebreak-common.metadata" . | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "firebreak-common.selector" .who | nindent 6 }}
  policyTypes: [Ingress, Egress]
{{- end -}}

{{/* A rule for egress: names are asked of the cluster's own DNS, and of the values' `dns`. Takes the chart's scope. */}}
{{- define "firebreak-common.dnsEgress" -}}
to:
  - namespaceSelector:
      matchLabels:
        kubernetes.io/metadata.name: kube-system
    podSelector:
      matchLabels:
        k8s-app: kube-dns
  {{- with .Values.dns }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
ports:
  - {protocol: UDP, port: 53}
  - {protocol: TCP, port: 53}
{{- end -}}

{{/*
Peers that are public addresses: everywhere but the cluster, the machine, the private network and the cloud's metadata.
::/8 holds loopback, and IPv4 addresses written as IPv6.
*/}}
{{- define "firebreak-common.publicPeers" -}}
- ipBlock:
    cidr: 0.0.0.0/0
    except:
      - 0.0.0.0/8
      - 10.0.0.0/8
      - 100.64.0.0/10
      - 127.0.0.0/8
      - 169.254.0.0/16
      - 172.16.0.0/12
      - 192.0.0.0/24
      - 192.168.0.0/16
      - 198.18.0.0/15
      - 224.0.0.0/4
      - 240.0.0.0/4
- ipBlock:
    cidr: ::/0
    except:
      - ::/8
      - 2002::/16
      - fc00::/7
      - fe80::/10
      - fec0::/10
      - ff00::/8
{{- end -}}
