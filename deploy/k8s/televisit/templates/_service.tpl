{{/* One service, whole: ServiceAccount, Deployment, Service, autoscaler, disruption budget, network
     policy. templates/services.yaml calls it for each of the map `services`.
     Takes root, name, service (values), facts (catalog). */}}
{{- define "televisit.service" -}}
{{- $fullname := printf "%s-%s" (include "televisit.fullname" .root) .name -}}
{{- $env := include "televisit.env" . | fromYaml -}}
{{- $secretKeys := default dict .facts.secrets -}}
{{- $secret := dict "root" .root "given" .service.existingSecret "name" .name -}}
{{- $scaled := .service.autoscaling.enabled -}}
{{- $least := ternary .service.autoscaling.minReplicas .service.replicas $scaled | int -}}
{{ include "televisit.serviceAccount" . }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $fullname }}
  labels:
    {{- include "televisit.labels" . | nindent 4 }}
  annotations:
    {{- include "televisit.exemptions" (dict "root" .root "image" .service.image "few" (lt $least 3)
          "together" (not .root.Values.topologySpread.enabled)
          "database" (has "postgres" .facts.reaches)
          "secretFiles" (keys $secretKeys | join " " | contains "SECRET")) | nindent 4 }}
    {{- with .service.annotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- if not $scaled }}
  replicas: {{ .service.replicas }}
  {{- end }}
  revisionHistoryLimit: 3
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxUnavailable: 0, maxSurge: 1}
  selector:
    matchLabels:
      {{- include "televisit.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "televisit.podLabels" . | nindent 8 }}
      annotations:
        # The configuration is in this template, so an old pod never starts with a new one; the
        # sum shows at a glance which pods have the same. A changed Secret needs
        # `kubectl rollout restart`, because services read theirs at start.
        checksum/config: {{ $env | toYaml | sha256sum }}
        {{- with .service.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      {{- include "televisit.podHead" . | nindent 6 }}
      # On SIGTERM the process is unready for the delay and goes on working, then drains; so no
      # preStop sleep is needed. 15 s are for closing and for a password that is being hashed.
      terminationGracePeriodSeconds: {{ add .service.drainDelaySeconds .service.drainTimeoutSeconds 15 }}
      containers:
        - name: {{ .name }}
          image: {{ include "televisit.image" (dict "root" .root "name" .name "image" .service.image) }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          {{- include "televisit.containerSecurity" . | nindent 10 }}
          env:
            {{- range $variable, $value := $env }}
            - {name: {{ $variable }}, value: {{ $value | quote }}}
            {{- end }}
          ports:
            {{- if .facts.http }}
            - {name: http, containerPort: 8080}
            {{- end }}
            - {name: admin, containerPort: 9090}
          # Alive while its loop turns, whatever else is away: a restart brings neither PostgreSQL
          # nor NATS back. Ready while it can do its work.
          startupProbe:
            httpGet: {path: /livez, port: admin}
            periodSeconds: 1
            failureThreshold: 60
          livenessProbe:
            httpGet: {path: /livez, port: admin}
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 3
          readinessProbe:
            httpGet: {path: /readyz, port: admin}
            periodSeconds: 3
            timeoutSeconds: 2
            failureThreshold: 2
          resources:
            {{- toYaml .service.resources | nindent 12 }}
          volumeMounts:
            - {name: secrets, mountPath: /run/secrets/televisit, readOnly: true}
      volumes:
        {{- include "televisit.files" (dict "root" .root
              "secret" (include "televisit.nameOr" $secret)
              "keys" (append (values $secretKeys | sortAlpha) "nats-nkey")
              "nats" true "database" (has "postgres" .facts.reaches)) | nindent 8 }}
      affinity:
        podAntiAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
            - weight: 100
              podAffinityTerm:
                topologyKey: kubernetes.io/hostname
                labelSelector:
                  matchLabels:
                    {{- include "televisit.selector" . | nindent 20 }}
      {{- if .root.Values.topologySpread.enabled }}
      topologySpreadConstraints:
        {{- $selector := include "televisit.selector" . }}
        {{- range .root.Values.topologySpread.constraints }}
        - topologyKey: {{ .topologyKey }}
          whenUnsatisfiable: {{ .whenUnsatisfiable }}
          maxSkew: {{ .maxSkew }}
          # A node that is being drained is no place to count on; pods of the version that goes
          # say nothing about where the new ones should be.
          nodeTaintsPolicy: Honor
          matchLabelKeys: [pod-template-hash]
          labelSelector:
            matchLabels:
              {{- $selector | nindent 14 }}
        {{- end }}
      {{- end }}
      {{- with .service.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .service.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
{{- if .facts.http }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $fullname }}
  labels:
    {{- include "televisit.labels" . | nindent 4 }}
  {{- with .service.service.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: {{ .service.service.type }}
  selector:
    {{- include "televisit.selector" . | nindent 4 }}
  ports:
    - {name: http, port: 8080, targetPort: http, protocol: TCP, appProtocol: http}
{{- end }}
{{- if .root.Values.serviceMonitor.enabled }}
---
# Where Prometheus finds the pods, those that are unready as well.
apiVersion: v1
kind: Service
metadata:
  name: {{ $fullname }}-metrics
  labels:
    {{- include "televisit.labels" . | nindent 4 }}
    televisit/metrics: "true"
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector:
    {{- include "televisit.selector" . | nindent 4 }}
  ports:
    - {name: metrics, port: 9090, targetPort: admin, protocol: TCP, appProtocol: http}
{{- end }}
{{- if $scaled }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ $fullname }}
  labels:
    {{- include "televisit.labels" . | nindent 4 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ $fullname }}}
  minReplicas: {{ .service.autoscaling.minReplicas }}
  maxReplicas: {{ .service.autoscaling.maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: {type: Utilization, averageUtilization: {{ .service.autoscaling.targetCPUPercent }}}
  behavior:
    # Each pod that goes sends its streams to the others.
    scaleDown:
      stabilizationWindowSeconds: 300
      policies: [{type: Pods, value: 1, periodSeconds: 60}]
{{- end }}
{{- if .service.podDisruptionBudget.enabled }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ $fullname }}
  labels:
    {{- include "televisit.labels" . | nindent 4 }}
spec:
  maxUnavailable: {{ .service.podDisruptionBudget.maxUnavailable }}
  # A pod that does no work must not keep a node from being drained.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "televisit.selector" . | nindent 6 }}
{{- end }}
{{- include "televisit.networkPolicy" (dict "root" .root "name" .name
      "ingress" (include "televisit.serviceIngress" .)
      "egress" (include "televisit.egress" (dict "root" .root "reaches" .facts.reaches))) }}
{{- end -}}

{{/* Who may come in to a service. Takes what televisit.service takes. */}}
{{- define "televisit.serviceIngress" -}}
{{- $who := .root.Values.networkPolicy.ingress -}}
{{- with $who.metrics }}
- from:
    {{- toYaml . | nindent 4 }}
  ports: [{protocol: TCP, port: 9090}]
{{- end }}
{{- if .facts.http }}
{{- if or $who.http $who.webhook .root.Values.dev.livekit.enabled .root.Values.test.enabled }}
- from:
    {{- with concat $who.http $who.webhook }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- if .root.Values.dev.livekit.enabled }}
    {{- include "televisit.peer" (dict "root" .root "name" "livekit") | nindent 4 }}
    {{- end }}
    {{- if .root.Values.test.enabled }}
    {{- include "televisit.peer" (dict "root" .root "name" "check") | nindent 4 }}
    {{- end }}
  ports: [{protocol: TCP, port: 8080}]
{{- end }}
{{- end }}
{{- end -}}
