{{/* Names, labels, images. A helper takes the root context, or a dict that has it as `root`. */}}

{{/* The prefix of all names, with room for the rest in the 63 characters of a Service's name. */}}
{{- define "televisit.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What finds the pods of one component; never changes during the life of a release.
     Takes root, name. */}}
{{- define "televisit.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end -}}

{{/* Labels of an object. Takes root, name. */}}
{{- define "televisit.labels" -}}
{{ include "televisit.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: televisit
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name (.root.Chart.Version | replace "+" "_") }}
{{- end -}}

{{/* Labels of a pod: without the chart's version, which alone must not restart anything. */}}
{{- define "televisit.podLabels" -}}
{{ include "televisit.selector" . }}
app.kubernetes.io/part-of: televisit
{{- end -}}

{{/* Takes root, name (of the image), image (its values). */}}
{{- define "televisit.image" -}}
{{- with .root.Values.image.registry }}{{ trimSuffix "/" . }}/{{ end -}}
televisit/{{ .name }}:{{ coalesce .image.tag .root.Values.image.tag .root.Chart.AppVersion }}
{{- with .image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{/* An object of ours unless the values name another. Takes root, given, name. */}}
{{- define "televisit.nameOr" -}}
{{- default (printf "%s-%s" (include "televisit.fullname" .root) .name) .given -}}
{{- end -}}

{{- define "televisit.natsUrl" -}}
{{- if .Values.dev.nats.enabled -}}
tls://{{ include "televisit.fullname" . }}-nats:4222
{{- else -}}
{{ .Values.nats.url }}
{{- end -}}
{{- end -}}

{{/* LiveKit's API as pods reach it; empty: made from livekit.url by the tokens service. */}}
{{- define "televisit.livekitApiUrl" -}}
{{- if and .Values.dev.livekit.enabled (not .Values.livekit.apiUrl) -}}
http://{{ include "televisit.fullname" . }}-livekit:7880
{{- else -}}
{{ .Values.livekit.apiUrl }}
{{- end -}}
{{- end -}}
