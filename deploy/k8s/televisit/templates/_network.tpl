{{/* NetworkPolicies: a pod that one selects refuses all that no rule names. */}}

{{/* Egress rules. Takes root, reaches (list of names of networkPolicy.egress). Those that are in
     this release are found by their labels. */}}
{{- define "televisit.egress" -}}
{{- $root := .root -}}
{{- $pods := dict "nats" 4222 "postgres" 5432 "livekit" 7880 -}}
{{- range prepend .reaches "dns" }}
{{- $rule := index $root.Values.networkPolicy.egress . }}
{{- if and (hasKey $pods .) (index $root.Values.dev .).enabled }}
- to:
    {{- include "televisit.peer" (dict "root" $root "name" .) | nindent 4 }}
  ports:
    - {protocol: TCP, port: {{ index $pods . }}}
{{- else }}
- ports:
    {{- range $rule.ports }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
    {{- if eq . "dns" }}
    {{- range $rule.ports }}
    - {protocol: UDP, port: {{ . }}}
    {{- end }}
    {{- end }}
  {{- with $rule.to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Pods of this release as a peer. Takes root, name. */}}
{{- define "televisit.peer" -}}
- podSelector:
    matchLabels:
      {{- include "televisit.selector" . | nindent 6 }}
{{- end -}}

{{/* The frame of a policy. Takes root, name, ingress and egress (rules as text). */}}
{{- define "televisit.networkPolicy" -}}
{{- if .root.Values.networkPolicy.enabled }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "televisit.fullname" .root }}-{{ .name }}
  labels:
    {{- include "televisit.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "televisit.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  {{- with trim .ingress }}
  ingress:
    {{- . | nindent 4 }}
  {{- end }}
  {{- with trim .egress }}
  egress:
    {{- . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Takes root, name. */}}
{{- define "televisit.serviceAccount" -}}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "televisit.fullname" .root }}-{{ .name }}
  labels:
    {{- include "televisit.labels" . | nindent 4 }}
automountServiceAccountToken: false
{{- end -}}
