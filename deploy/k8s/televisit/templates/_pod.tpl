{{/* What all pods of the chart have in common: Pod Security "restricted", and nothing that they do
     not need. */}}

{{/* The head of a pod's spec. Takes root, name. */}}
{{- define "televisit.podHead" -}}
serviceAccountName: {{ include "televisit.fullname" .root }}-{{ .name }}
automountServiceAccountToken: false
{{- /* Else a Service named televisit-gateway becomes the variable TELEVISIT_GATEWAY_PORT, and an
       unknown TELEVISIT_ variable is an error. */}}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "televisit.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  privileged: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  capabilities: {drop: [ALL]}
  seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{/* Files of a service, all in one folder: of its Secret only the keys that it knows, so that a
     missing one is an event of the pod ("references non-existent secret key"), not a crash.
     Takes root, secret (name), keys (list), and nats, database (bool): with their CA. */}}
{{- define "televisit.files" -}}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      - secret:
          name: {{ .secret }}
          items:
            {{- range .keys }}
            - {key: {{ . }}, path: {{ . }}}
            {{- end }}
      {{- $tls := .root.Values.nats.tls }}
      {{- $ca := dict "root" .root "given" $tls.caSecret "name" "nats-ca" }}
      {{- if and .nats $tls.enabled }}
      - {{ ternary "configMap" "secret" (ne $tls.caConfigMap "") }}:
          name: {{ default (include "televisit.nameOr" $ca) $tls.caConfigMap }}
          items: [{key: ca.crt, path: nats-ca.crt}]
      {{- end }}
      {{- if .database }}
      {{- with .root.Values.database.caSecret }}
      - secret:
          name: {{ . }}
          items: [{key: ca.crt, path: database-ca.crt}]
      {{- end }}
      {{- end }}
{{- end -}}
