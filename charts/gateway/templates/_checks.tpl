{{/* Everything that the schema cannot say, in words that say what to do. */}}
{{- define "firebreak-gateway.check" -}}
{{- include "firebreak-gateway.checkRemoved" . -}}
{{- include "firebreak-gateway.checkIdentity" . -}}
{{- include "firebreak-gateway.checkContents" . -}}
{{- include "firebreak-gateway.checkRedis" .Values.redis -}}
{{- if and (has .Values.journal.mode (list "best-effort" "required")) (not .Values.journal.postgresql.urlSecret.name) -}}
{{- fail (printf "journal.mode is %s, but a pod's disk is no journal: set journal.postgresql.urlSecret to a Secret with the connection string, or journal.mode to none" .Values.journal.mode) -}}
{{- end -}}
{{- include "firebreak-gateway.checkEgress" . -}}
{{- if and .Values.autoscaling.enabled (not .Values.scrapers) -}}
{{- fail "autoscaling.enabled: pods are counted by a metric that nobody may read at port 7501: name your Prometheus in scrapers" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.min) (int .Values.autoscaling.max)) -}}
{{- fail "autoscaling.min is more than autoscaling.max" -}}
{{- end -}}
{{- end -}}

{{/* Keys of earlier versions. The schema lets them through, so that it can be said what to do instead. */}}
{{- define "firebreak-gateway.checkRemoved" -}}
{{- $reused := "take it out (after --reuse-values: use --reset-then-reuse-values)" -}}
{{- if hasKey .Values.serviceAccounts "token" -}}
{{- fail (printf "serviceAccounts.token is no more since chart 0.2.0, as no pod gets a token for the API server: %s, and give the keys as text: `kubectl get --raw /openid/v1/jwks > jwks.json`, then `--set-file serviceAccounts.jwks=jwks.json`" $reused) -}}
{{- end -}}
{{- if hasKey .Values.journal "podSize" -}}
{{- fail (printf "journal.podSize is no more since chart 0.2.0, as a pod's disk is no journal: %s, and for a journal set journal.postgresql.urlSecret to a Secret with the connection string" $reused) -}}
{{- end -}}
{{- end -}}

{{- define "firebreak-gateway.checkRedis" -}}
{{- if regexMatch "^[a-z]+://.*:.*@" .url -}}
{{- fail "redis.url holds a password, which everybody who sees the ConfigMap would know: take it out, and name its Secret in redis.passwordSecret" -}}
{{- end -}}
{{- if and .passwordSecret.name (not .url) -}}
{{- fail "redis.passwordSecret is for a Redis: set redis.url, or take it away" -}}
{{- end -}}
{{- if and .caConfigMap (not (hasPrefix "rediss://" .url)) -}}
{{- fail "redis.caConfigMap is for a redis.url that begins with rediss://: take it away, or use TLS" -}}
{{- end -}}
{{- end -}}

{{- define "firebreak-gateway.checkIdentity" -}}
{{- $accounts := .Values.serviceAccounts -}}
{{- if not $accounts.issuer -}}
{{- fail "serviceAccounts.issuer is empty: set it to the \"issuer\" that `kubectl get --raw /.well-known/openid-configuration` prints" -}}
{{- end -}}
{{- if not $accounts.jwks -}}
{{- fail "serviceAccounts.jwks is empty: `kubectl get --raw /openid/v1/jwks > jwks.json`, then add `--set-file serviceAccounts.jwks=jwks.json`" -}}
{{- end -}}
{{- include "firebreak-gateway.checkJwks" (dict "field" "serviceAccounts.jwks" "jwks" $accounts.jwks) -}}
{{- if and (not (hasPrefix "https://" $accounts.jwks)) $accounts.caConfigMap -}}
{{- fail "serviceAccounts.caConfigMap is for a jwks at an https address: take it away, or set jwks to the address" -}}
{{- end -}}
{{- with .Values.users -}}
{{- if ne (eq .issuer "") (eq .jwks "") -}}
{{- fail "users.issuer and users.jwks belong together: set both, or neither" -}}
{{- end -}}
{{- if .issuer -}}
{{- include "firebreak-gateway.checkJwks" (dict "field" "users.jwks" "jwks" .jwks) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "firebreak-gateway.checkJwks" -}}
{{- if not (hasPrefix "https://" .jwks) -}}
{{- if not (kindIs "slice" (get (fromJson .jwks) "keys")) -}}
{{- fail (printf "%s is neither an https address nor the JSON text of a JWK set, {\"keys\": [...]}" .field) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "firebreak-gateway.checkContents" -}}
{{- range $name, $_ := .Values.installed -}}
{{- if not (hasKey $.Values.services $name) -}}
{{- fail (printf "installed.%s is of no service: services has none of this name" $name) -}}
{{- end -}}
{{- end -}}
{{- if not (include "firebreak-gateway.served" . | fromYamlArray) -}}
{{- fail "services is empty, there is nothing to call: `firebreak chart gateway` writes services and policies as values" -}}
{{- end -}}
{{- if not .Values.policies -}}
{{- fail "policies is empty, nothing would be allowed: `firebreak chart gateway` writes services and policies as values" -}}
{{- end -}}
{{- range $name, $service := .Values.services -}}
{{- if ne $name $service.name -}}
{{- fail (printf "services.%s is the service.yaml of %s: both are the same name" $name $service.name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A part that is elsewhere needs a way there, and only whoever installs knows where it is. */}}
{{- define "firebreak-gateway.checkEgress" -}}
{{- $elsewhere := list -}}
{{- if .Values.redis.url }}{{ $elsewhere = append $elsewhere "redis.url" }}{{ end -}}
{{- if ne (include "firebreak-gateway.journalMode" .) "none" }}{{ $elsewhere = append $elsewhere "journal.postgresql" }}{{ end -}}
{{- if hasPrefix "https://" .Values.serviceAccounts.jwks }}{{ $elsewhere = append $elsewhere "serviceAccounts.jwks" }}{{ end -}}
{{- if hasPrefix "https://" .Values.users.jwks }}{{ $elsewhere = append $elsewhere "users.jwks" }}{{ end -}}
{{- if .Values.telemetry.otlp }}{{ $elsewhere = append $elsewhere "telemetry.otlp" }}{{ end -}}
{{- if lt (len .Values.egress) (len $elsewhere) -}}
{{- fail (printf "%s: the gateway's NetworkPolicy lets it reach nothing but services and DNS: add an entry {cidr or podSelector, port} to egress for each" (join ", " $elsewhere)) -}}
{{- end -}}
{{- end -}}
