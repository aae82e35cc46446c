{{/* Ways of a NetworkPolicy, one rule each. */}}

{{- define "alioth.way.dns" -}}
- ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- end }}

{{/* (dict "peers" list "ports" list "direction" "to"). */}}
{{- define "alioth.way" -}}
- ports:
    {{- range .ports }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  {{- with .peers }}
  {{ $.direction }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* Port of an URL: its own, or its scheme's. */}}
{{- define "alioth.port" -}}
{{- $url := urlParse . -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" -}}
{{- $port | default (ternary "443" "80" (eq $url.scheme "https")) -}}
{{- end }}

{{/* Ports of URLs, each once, as JSON: (dict "root" $ "urls" list). */}}
{{- define "alioth.ports" -}}
{{- $ports := list -}}
{{- range .urls }}{{ $ports = append $ports (include "alioth.port" (tpl . $.root) | int) }}{{ end -}}
{{- $ports | uniq | toJson -}}
{{- end }}

{{- define "alioth.way.otlp" -}}
{{- with .Values.tracing.endpoint }}
{{- include "alioth.way" (dict "ports" (list (include "alioth.port" .))) }}
{{- end }}
{{- end }}

{{- define "alioth.way.rabbitmq" -}}
{{ include "alioth.way" (dict "ports" (list .Values.rabbitmq.port) "peers" .Values.networkPolicy.rabbitmqTo "direction" "to") }}
{{- end }}

{{- define "alioth.way.qdrant" -}}
{{ include "alioth.way" (dict "ports" (include "alioth.ports" (dict "root" $ "urls" .Values.qdrant.urls) | fromJsonArray) "peers" .Values.networkPolicy.qdrantTo "direction" "to") }}
{{- end }}

{{/* What a job needs: RabbitMQ, Qdrant's REST, S3 (443 for STS too), the Pushgateway, and keys where it has none. */}}
{{- define "alioth.ways.job" -}}
{{ include "alioth.way.dns" . }}
{{ include "alioth.way.rabbitmq" . }}
{{ include "alioth.way" (dict "ports" (include "alioth.ports" (dict "root" $ "urls" .Values.qdrant.restUrls) | fromJsonArray) "peers" .Values.networkPolicy.qdrantTo "direction" "to") }}
{{ include "alioth.way" (dict "ports" (include "alioth.ports" (dict "root" $ "urls" (concat (list (.Values.s3.endpoint | default "https://s3")) (ternary (list "https://sts") list (empty .Values.s3.endpoint)) (ternary (list .Values.pushgateway.url) list (ne .Values.pushgateway.url "")))) | fromJsonArray) "peers" .Values.networkPolicy.s3To "direction" "to") }}
{{- if not (include "alioth.s3Secret" .) }}
# Without keys the SDK asks for them: the Pod Identity agent of the node, or the node's instance role.
{{ include "alioth.way" (dict "ports" (list 80) "peers" (list (dict "ipBlock" (dict "cidr" "169.254.170.23/32")) (dict "ipBlock" (dict "cidr" "169.254.169.254/32"))) "direction" "to") }}
{{- end }}
{{- with .Values.networkPolicy.extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end }}
