output "namespace" {
  description = "Where it is: `kubectl --namespace … get pods`."
  value       = helm_release.alioth.namespace
}

output "accept_url" {
  description = "Where pods of the cluster write: ingest-accept's Service."
  value       = "http://${var.name}-ingest-accept.${helm_release.alioth.namespace}.svc"
}

output "jobs_role_arn" {
  description = "The role of snapshot and restore."
  value       = aws_iam_role.jobs.arn
}
