{{/* The small servers of the dev values, as facts that templates/dev/servers.yaml makes objects of:
       dir        where its files are, those of `config` and `keys` (of its Secret) together
       config     file: text, in a ConfigMap
       ports      name: number; a name that ends in -udp is UDP
       ready, alive  probes; alive must not say the same as ready
       nodePorts  the same at the address of the node, for browsers
       clients    components of this release that may come in; without any everybody may
       webhooks   it goes to the gateway, and to browsers
       data       folder of its volume
     Takes the root context. */}}
{{- define "televisit.devCatalog" -}}
nats:
  dir: /etc/nats
  config:
    nats.conf: |
      {{- include "televisit.natsConfig" . | nindent 6 }}
    nats-accounts.conf: |
      {{- .Files.Get "files/nats-accounts.conf" | nindent 6 }}
  keys: [tls.crt, tls.key, nats-keys.conf]
  ports: {nats: 4222, monitor: 8222}
  ready: {httpGet: {path: /healthz, port: monitor}}
  alive: {httpGet: {path: "/healthz?js-enabled-only=true", port: monitor}}
  clients: [gateway, appointments, tokens, notifier]
postgres:
  dir: /run/secrets/televisit
  keys: [password]
  ports: {postgres: 5432}
  ready: {exec: {command: [sh, -c, "exec /usr/lib/postgresql/*/bin/pg_isready -q -h 127.0.0.1"]}}
  alive: {tcpSocket: {port: postgres}}
  clients: [appointments, migrate]
  data: /var/lib/postgresql/data
livekit:
  dir: /etc/livekit
  config:
    livekit.yaml: |
      {{- include "televisit.livekitConfig" . | nindent 6 }}
  keys: [keys.yaml]
  {{- with .Values.dev.livekit.nodePorts }}
  ports: {signal: 7880, rtc-tcp: {{ .tcp }}, rtc-udp: {{ .udp }}}
  nodePorts: {signal: {{ .signal }}, rtc-tcp: {{ .tcp }}, rtc-udp: {{ .udp }}}
  {{- end }}
  ready: {httpGet: {path: /, port: signal}}
  alive: {tcpSocket: {port: signal}}
  webhooks: true
{{- end -}}

{{/* Who may say what comes from files/nats-accounts.conf, which is generated from the protos and
     stands in the chart that `make chart` makes; it includes nats-keys.conf of the Secret. */}}
{{- define "televisit.natsConfig" -}}
server_name: {{ include "televisit.fullname" . }}
listen: "0.0.0.0:4222"
http: "0.0.0.0:8222"
max_payload: 1MB
ping_interval: "10s"
ping_max: 2
tls {cert_file: "/etc/nats/tls.crt", key_file: "/etc/nats/tls.key"}
include "./nats-accounts.conf"
{{- end -}}

{{/* As docs/DEPENDENCIES.md demands of every LiveKit: rooms only by us, webhooks to the gateway, and
     no third party asked for anybody's address. */}}
{{- define "televisit.livekitConfig" -}}
port: 7880
key_file: /etc/livekit/keys.yaml
logging: {level: info, json: true}
rtc:
  use_external_ip: false
  {{- with .Values.dev.livekit.nodeIp }}
  node_ip: {{ . }}
  {{- end }}
  udp_port: {{ .Values.dev.livekit.nodePorts.udp }}
  tcp_port: {{ .Values.dev.livekit.nodePorts.tcp }}
  stun_servers: {{ .Values.dev.livekit.stunServers | toJson }}
room: {auto_create: false, empty_timeout: 300, departure_timeout: 20}
webhook:
  api_key: {{ .Values.dev.livekit.webhookKey }}
  urls: ["http://{{ include "televisit.fullname" . }}-gateway:8080/v1/livekit/webhook"]
{{- end -}}
