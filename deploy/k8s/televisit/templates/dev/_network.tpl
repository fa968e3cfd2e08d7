{{/* Who may come in to a small server, and where it may go. Both take root, facts. */}}
{{- define "televisit.devIngress" -}}
- ports:
    {{- range $port, $number := omit .facts.ports "monitor" }}
    - {protocol: {{ include "televisit.protocol" $port }}, port: {{ $number }}}
    {{- end }}
  {{- with .facts.clients }}
  from:
    {{- range . }}
    {{- include "televisit.peer" (dict "root" $.root "name" .) | nindent 4 }}
    {{- end }}
  {{- end }}
{{- end -}}

{{- define "televisit.devEgress" -}}
{{- if .facts.webhooks }}
{{- include "televisit.egress" (dict "root" .root "reaches" list) }}
- to:
    {{- include "televisit.peer" (dict "root" .root "name" "gateway") | nindent 4 }}
  ports: [{protocol: TCP, port: 8080}]
# Media, to whatever address a browser has.
- ports: [{protocol: UDP, port: 1024, endPort: 65535}]
{{- end }}
{{- end -}}

{{/* Of a port, by its name. */}}
{{- define "televisit.protocol" -}}
{{ ternary "UDP" "TCP" (hasSuffix "-udp" .) }}
{{- end -}}
