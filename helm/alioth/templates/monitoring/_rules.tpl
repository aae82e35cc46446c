{{/*
Rules of this release alone: (dict "root" $ "text" "the text of a file of alerts/"). Those files are for any Prometheus and
match whatever release is there; what stands for that in their selectors is here this release's namespace, names, virtual
host, queues and scrape jobs. KEDA's own metrics have no such namespace, only names. Metrics that jobs push have neither.
*/}}
{{- define "alioth.rules" -}}
{{- $fullname := include "alioth.fullname" .root -}}
{{- .text
  | replace "namespace=~\".*\"" (printf "namespace=%q" .root.Release.Namespace)
  | replace "job=~\".*alioth.*\"" (printf "job=~\".*%s.*\"" $fullname)
  | replace "=~\".*-" (printf "=~\"%s-" $fullname)
  | replace "=~\"keda-hpa-.*-" (printf "=~\"keda-hpa-%s-" $fullname)
  | replace "vhost=~\".*\"" (printf "vhost=%q" .root.Values.rabbitmq.vhost)
  | replace "queue=~\".*" (printf "queue=~\"%s" (.root.Values.rabbitmq.queuePrefix | replace "." "[.]"))
  | replace "job=~\".*qdrant.*\"" (printf "job=~%q" .root.Values.monitoring.prometheusRule.qdrantJob)
  | replace "job=~\".*rabbitmq.*\"" (printf "job=~%q" .root.Values.monitoring.prometheusRule.rabbitmqJob)
-}}
{{- end }}
