output "url" {
  description = "Where clients write: PUT <url>/collections/<name>/points."
  value       = module.accept.url
}

output "api_keys_secret_arn" {
  description = "Secret with the keys of clients: `aws secretsmanager get-secret-value --secret-id …`."
  value       = aws_secretsmanager_secret_version.api_keys.secret_arn
}

output "cluster_name" {
  description = "The cluster: `aws eks update-kubeconfig --name …`."
  value       = module.cluster.name
}

output "namespace" {
  description = "Where the consumers are: `kubectl --namespace … get pods`."
  value       = module.alioth.namespace
}

output "qdrant_service" {
  description = "Qdrant, for `kubectl --namespace qdrant port-forward …`."
  value       = "service/${helm_release.qdrant.name}"
}

output "accept_url_in_the_cluster" {
  description = "Where pods of the cluster write."
  value       = module.alioth.accept_url
}

output "bucket" {
  description = "The bucket of snapshots."
  value       = module.bucket.name
}

output "rabbitmq_console_url" {
  description = "RabbitMQ's own pages, inside the VPC."
  value       = module.broker.console_url
}
