{{/* What each service is, as opposed to what an operator may choose (values.yaml):
       http     it serves HTTP at 8080
       reaches  where it must be able to go (networkPolicy.egress)
       env      its configuration; services.<name>.env stands above it
       secrets  variable without _FILE: key of its Secret
     `<service> --help-config` prints every variable. Takes the root context. */}}
{{- define "televisit.catalog" -}}
gateway:
  http: true
  reaches: [nats]
  env:
    TELEVISIT_HTTP_ADDRESS: 0.0.0.0:8080
    TELEVISIT_PUBLIC_URL: {{ .Values.publicUrl }}
    {{- /* A header that only our own ingress may be believed about. */}}
    TELEVISIT_TRUST_FORWARDED: {{ or .Values.ingress.enabled .Values.httpRoute.enabled | quote }}
    LIVEKIT_URL: {{ .Values.livekit.url }}
  secrets:
    TELEVISIT_SESSION_KEY: session-key
appointments:
  reaches: [nats, postgres]
  secrets:
    DATABASE_URL: database-url
    TELEVISIT_GRANT_KEY: grant-key
tokens:
  reaches: [nats, livekit]
  env:
    LIVEKIT_URL: {{ .Values.livekit.url }}
    {{- with include "televisit.livekitApiUrl" . }}
    LIVEKIT_API_URL: {{ . }}
    {{- end }}
  secrets:
    LIVEKIT_API_KEY: livekit-api-key
    LIVEKIT_API_SECRET: livekit-api-secret
    TELEVISIT_GRANT_KEY: grant-key
    {{- if .Values.livekit.webhookKeys }}
    LIVEKIT_WEBHOOK_KEYS: livekit-webhook-keys
    {{- end }}
notifier:
  reaches: [nats]
{{- end -}}

{{/* The whole configuration of one service as a map of text. Takes root, name, service, facts. */}}
{{- define "televisit.env" -}}
{{- $env := dict
      "NATS_URL" (include "televisit.natsUrl" .root)
      "NATS_NKEY_FILE" "/run/secrets/televisit/nats-nkey"
      "TELEVISIT_ADMIN_ADDRESS" "0.0.0.0:9090"
      "TELEVISIT_DRAIN_DELAY" (printf "%ds" (int .service.drainDelaySeconds))
      "TELEVISIT_DRAIN_TIMEOUT" (printf "%ds" (int .service.drainTimeoutSeconds)) -}}
{{- if .root.Values.nats.tls.enabled -}}
{{- $_ := set $env "NATS_CA_FILE" "/run/secrets/televisit/nats-ca.crt" -}}
{{- end -}}
{{- range $variable, $key := .facts.secrets -}}
{{- $_ := set $env (printf "%s_FILE" $variable) (printf "/run/secrets/televisit/%s" $key) -}}
{{- end -}}
{{- merge (deepCopy .service.env) (default dict .facts.env) $env | toYaml -}}
{{- end -}}
