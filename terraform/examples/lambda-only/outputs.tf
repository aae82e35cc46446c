output "url" {
  description = "Where clients write: PUT <url>/collections/<name>/points."
  value       = module.accept.url
}

output "api_keys_secret_arn" {
  description = "Secret with the keys of clients: `aws secretsmanager get-secret-value --secret-id …`."
  value       = aws_secretsmanager_secret_version.api_keys.secret_arn
}

output "amqp_url_secret_arn" {
  description = "Secret with the broker's URL, for the consumers' ALIOTH_AMQP_URL."
  value       = var.amqp_url_arn == null ? module.broker[0].amqp_url_secret_arn : var.amqp_url_arn
}

output "function_name" {
  description = "The function, for `aws lambda invoke` and `aws logs tail /aws/lambda/…`."
  value       = module.accept.function_name
}
