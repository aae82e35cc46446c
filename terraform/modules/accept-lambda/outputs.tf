output "url" {
  description = "Where writes go: the base URL of every route of accept, without a slash at its end."
  value       = var.front == "http-api" ? aws_apigatewayv2_api.this[0].api_endpoint : trimsuffix(aws_lambda_function_url.this[0].function_url, "/")

  # Of use only once it answers.
  depends_on = [aws_apigatewayv2_stage.this, aws_apigatewayv2_route.this, aws_lambda_permission.api, aws_lambda_permission.url, aws_lambda_permission.url_invoke]
}

output "function_name" {
  description = "The function, for `aws lambda invoke` and `aws logs tail`."
  value       = aws_lambda_function.this.function_name
}

output "alias_arn" {
  description = "The alias that takes requests, for policies of who may invoke it."
  value       = aws_lambda_alias.live.arn
}

output "log_group_name" {
  description = "The function's log."
  value       = aws_cloudwatch_log_group.function.name
}

output "security_group_id" {
  description = "The function's security group: the broker's module takes it in clients, and whoever guards Qdrant lets it in."
  value       = aws_security_group.function.id
}

output "role_name" {
  description = "The function's role, for what else it is to be allowed."
  value       = aws_iam_role.function.name
}
