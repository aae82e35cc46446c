output "amqp_url_secret_arn" {
  description = "Secret whose text is ALIOTH_AMQP_URL: for accept-lambda's amqp_url_arn, and for consumers elsewhere."
  value       = aws_secretsmanager_secret_version.url.secret_arn
}

output "username" {
  description = "The broker's user."
  value       = var.username
}

output "password_secret_arn" {
  description = "Secret whose text is the user's password: for the module alioth, whose chart takes the URL apart."
  value       = aws_secretsmanager_secret_version.password.secret_arn
}

output "kms_key_arn" {
  description = "The KMS key of the secrets, or null: who reads them needs the key as well."
  value       = var.kms_key_arn
}

output "host" {
  description = "Host name of the broker."
  value       = split(":", trimprefix(local.endpoint, "amqps://"))[0]
}

output "port" {
  description = "Its port of AMQP over TLS."
  value       = 5671
}

output "console_url" {
  description = "RabbitMQ's own pages and its management API, inside the VPC."
  value       = data.aws_mq_broker.this.instances[0].console_url
}

output "security_group_id" {
  description = "The broker's security group: clients' own egress rules name it."
  value       = aws_security_group.broker.id
}

output "broker_arn" {
  description = "The broker's ARN."
  value       = aws_cloudformation_stack.broker.outputs["BrokerArn"]
}
