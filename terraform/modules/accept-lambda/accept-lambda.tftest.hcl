# With mocked providers: what is planned from which variables, not what AWS makes of it.
mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { region = "eu-central-1" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  zip_path     = "tests/fixtures/bootstrap.zip"
  vpc_id       = "vpc-1"
  subnet_ids   = ["subnet-1"]
  amqp_url_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:amqp-url-a1b2c3"
  api_keys_arn = "arn:aws:ssm:eu-central-1:123456789012:parameter/alioth/api-keys"
}

run "secrets_go_by_arn" {
  command = plan

  assert {
    condition     = join(" ", keys(aws_lambda_function.this.environment[0].variables)) == "ALIOTH_AMQP_URL_ARN ALIOTH_API_KEYS_ARN"
    error_message = "the environment is not the two ARNs: ${jsonencode(aws_lambda_function.this.environment[0].variables)}"
  }

  assert {
    condition     = local.by_secrets_manager == [var.amqp_url_arn] && local.by_ssm == [var.api_keys_arn]
    error_message = "the role may read other secrets than its own"
  }
}

run "may_read_the_secret_that_a_member_is_of" {
  command = plan

  variables {
    amqp_url_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:alioth-a1b2c3:url::"
    api_keys_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:alioth-a1b2c3:keys"
  }

  assert {
    condition     = toset(local.by_secrets_manager) == toset(["arn:aws:secretsmanager:eu-central-1:123456789012:secret:alioth-a1b2c3"])
    error_message = "the policy names what is no resource: ${jsonencode(local.by_secrets_manager)}"
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables["ALIOTH_AMQP_URL_ARN"] == var.amqp_url_arn
    error_message = "the function does not hear of the member"
  }
}

run "refuses_a_version_of_a_secret" {
  command = plan

  variables {
    amqp_url_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:alioth-a1b2c3:url:AWSPREVIOUS:"
  }

  expect_failures = [var.amqp_url_arn]
}

run "reads_no_more_than_its_secrets" {
  command = plan

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.function.statement :
      !contains(statement.resources, "*") || alltrue([for action in statement.actions : startswith(action, "ec2:")])
    ])
    error_message = "a statement other than that on network interfaces is about everything"
  }

  assert {
    condition     = length([for statement in data.aws_iam_policy_document.function.statement : statement if statement.effect == "Deny"]) == 1
    error_message = "the function's code may touch network interfaces"
  }
}

run "runs_what_make_lambda_makes" {
  command = plan

  assert {
    condition = (
      aws_lambda_function.this.runtime == "provided.al2023" && aws_lambda_function.this.handler == "bootstrap"
      && aws_lambda_function.this.architectures == tolist(["x86_64"]) && aws_lambda_function.this.publish
    )
    error_message = "not the runtime that the zip is built for"
  }
}

run "an_http_api_is_throttled_and_logged" {
  command = plan

  assert {
    condition     = aws_apigatewayv2_stage.this[0].default_route_settings[0].throttling_rate_limit == 500 && aws_apigatewayv2_stage.this[0].name == "$default"
    error_message = "no throttle, or a stage that puts a prefix before paths"
  }

  assert {
    condition     = !strcontains(aws_apigatewayv2_stage.this[0].access_log_settings[0].format, "header")
    error_message = "the access log has headers, and with them keys"
  }

  assert {
    condition     = length(aws_lambda_function_url.this) == 0 && length(aws_lambda_permission.url) == 0
    error_message = "a second way in beside the HTTP API"
  }
}

run "a_function_url_in_its_place" {
  command = plan

  variables {
    front = "function-url"
  }

  assert {
    condition     = length(aws_apigatewayv2_api.this) == 0 && aws_lambda_function_url.this[0].authorization_type == "NONE" && length(aws_lambda_permission.url_invoke) == 1
    error_message = "no function URL in the place of the HTTP API"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.answers_5xx.metric_name == "Url5xxCount"
    error_message = "the alarm watches what is not there"
  }
}

run "signed_requests_open_nothing_to_others" {
  command = plan

  variables {
    front         = "function-url"
    authorization = "AWS_IAM"
    api_keys_arn  = null
  }

  assert {
    condition     = length(aws_lambda_permission.url) == 0 && length(aws_lambda_permission.url_invoke) == 0
    error_message = "whoever finds the URL may invoke it"
  }
}

run "kept_started" {
  command = plan

  variables {
    provisioned_concurrency = 3
  }

  assert {
    condition     = aws_lambda_provisioned_concurrency_config.live[0].provisioned_concurrent_executions == 3
    error_message = "nothing is kept started"
  }
}

run "refuses_an_open_door" {
  command = plan

  variables {
    api_keys_arn = null
  }

  expect_failures = [var.api_keys_arn]
}

run "refuses_a_key_that_is_no_arn" {
  command = plan

  variables {
    api_keys_arn = "key"
  }

  expect_failures = [var.api_keys_arn]
}

run "refuses_half_an_environment" {
  command = plan

  variables {
    provisioned_concurrency = 0.5
  }

  expect_failures = [var.provisioned_concurrency]
}

run "refuses_secrets_in_the_environment" {
  command = plan

  variables {
    environment = { ALIOTH_AMQP_URL = "amqps://alioth:secret@b-1.example.com:5671" }
  }

  expect_failures = [var.environment]
}

run "refuses_what_cannot_be" {
  command = plan

  variables {
    name                    = "Accept"
    zip_path                = "missing.zip"
    architecture            = "riscv64"
    memory_mb               = 64
    timeout_seconds         = 5
    reserved_concurrency    = 1
    provisioned_concurrency = 2
    vpc_id                  = "subnet-1"
    subnet_ids              = []
    egress                  = { qdrant = { port = 6334 } }
    amqp_url_arn            = "amqps://alioth:secret@b-1.example.com:5671"
    qdrant_url              = "qdrant:6334"
    qdrant_api_key_arn      = "key"
    secrets_kms_key_arns    = ["alias/key"]
    environment             = { ALIOTH_HTTP_LISTEN = "0.0.0.0:80" }
    front                   = "alb"
    authorization           = "JWT"
    throttle                = { rate = 0 }
    log_retention_days      = 2
    logs_kms_key_arn        = "alias/logs"
    alarm_actions           = ["topic"]
  }

  expect_failures = [
    var.name, var.zip_path, var.architecture, var.memory_mb, var.timeout_seconds, var.reserved_concurrency, var.vpc_id,
    var.subnet_ids, var.egress, var.amqp_url_arn, var.qdrant_url, var.qdrant_api_key_arn,
    var.secrets_kms_key_arns, var.environment, var.front, var.authorization, var.throttle, var.log_retention_days,
    var.logs_kms_key_arn, var.alarm_actions,
  ]
}
