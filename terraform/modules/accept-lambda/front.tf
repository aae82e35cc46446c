# What takes requests: an HTTP API or a function URL, both for the alias.

resource "aws_apigatewayv2_api" "this" {
  count = var.front == "http-api" ? 1 : 0

  name          = var.name
  description   = "Writes for Qdrant, to the function ${var.name}"
  protocol_type = "HTTP"
  tags          = var.tags
}

resource "aws_apigatewayv2_integration" "this" {
  count = var.front == "http-api" ? 1 : 0

  api_id                 = aws_apigatewayv2_api.this[0].id
  integration_type       = "AWS_PROXY"
  integration_method     = "POST"
  integration_uri        = aws_lambda_alias.live.invoke_arn
  payload_format_version = "2.0"
  # A second more than the function has, so that the function's own answer gets through.
  timeout_milliseconds = (var.timeout_seconds + 1) * 1000
}

resource "aws_apigatewayv2_route" "this" {
  #checkov:skip=CKV_AWS_309:accept asks for its own keys (api_keys_arn, required where authorization is NONE); AWS_IAM is there for who can sign.
  count = var.front == "http-api" ? 1 : 0

  api_id             = aws_apigatewayv2_api.this[0].id
  route_key          = "$default"
  target             = "integrations/${aws_apigatewayv2_integration.this[0].id}"
  authorization_type = var.authorization
}

resource "aws_cloudwatch_log_group" "access" {
  #checkov:skip=CKV_AWS_158:Encrypted with CloudWatch's keys unless logs_kms_key_arn is given.
  #checkov:skip=CKV_AWS_338:How long is the caller's choice.
  count = var.front == "http-api" ? 1 : 0

  name              = "/aws/apigateway/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.logs_kms_key_arn
  tags              = var.tags
}

resource "aws_apigatewayv2_stage" "this" {
  count = var.front == "http-api" ? 1 : 0

  api_id = aws_apigatewayv2_api.this[0].id
  # This one puts no prefix before paths.
  name        = "$default"
  auto_deploy = true
  tags        = var.tags

  default_route_settings {
    throttling_rate_limit    = var.throttle.rate
    throttling_burst_limit   = var.throttle.burst
    detailed_metrics_enabled = true
  }

  # No headers: one of them is the key.
  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access[0].arn
    format = jsonencode({
      request_id         = "$context.requestId"
      at                 = "$context.requestTime"
      from               = "$context.identity.sourceIp"
      method             = "$context.httpMethod"
      path               = "$context.path"
      status             = "$context.status"
      answer_bytes       = "$context.responseLength"
      latency_ms         = "$context.responseLatency"
      integration_ms     = "$context.integrationLatency"
      integration_status = "$context.integrationStatus"
      error              = "$context.error.message"
      integration_error  = "$context.integrationErrorMessage"
    })
  }
}

resource "aws_lambda_permission" "api" {
  count = var.front == "http-api" ? 1 : 0

  statement_id  = "AllowHttpApi"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this.function_name
  qualifier     = aws_lambda_alias.live.name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this[0].execution_arn}/*"
}

resource "aws_lambda_function_url" "this" {
  #checkov:skip=CKV_AWS_258:accept asks for its own keys (api_keys_arn, required where authorization is NONE); AWS_IAM is there for who can sign.
  count = var.front == "function-url" ? 1 : 0

  function_name      = aws_lambda_function.this.function_name
  qualifier          = aws_lambda_alias.live.name
  authorization_type = var.authorization
}

# A function URL without authorization wants both since October 2025; with AWS_IAM the caller's own policy allows it.
resource "aws_lambda_permission" "url" {
  #checkov:skip=CKV_AWS_301:A function URL that takes clients' requests is public; accept asks for its own keys.
  count = var.front == "function-url" && var.authorization == "NONE" ? 1 : 0

  statement_id           = "AllowFunctionUrl"
  action                 = "lambda:InvokeFunctionUrl"
  function_name          = aws_lambda_function.this.function_name
  qualifier              = aws_lambda_alias.live.name
  principal              = "*"
  function_url_auth_type = "NONE"
}

resource "aws_lambda_permission" "url_invoke" {
  #checkov:skip=CKV_AWS_301:By the URL alone, which is public; accept asks for its own keys.
  #checkov:skip=CKV_AWS_364:There is no source but whoever calls the URL.
  count = var.front == "function-url" && var.authorization == "NONE" ? 1 : 0

  statement_id             = "AllowFunctionUrlInvoke"
  action                   = "lambda:InvokeFunction"
  function_name            = aws_lambda_function.this.function_name
  qualifier                = aws_lambda_alias.live.name
  principal                = "*"
  invoked_via_function_url = true
}
