# ingest-accept as a Lambda function: the function itself, what it may do and reach, and its logs. What takes requests for
# it is in front.tf, what watches it in alarms.tf. Its secrets are read by it, by ARN: this module never has them.

data "aws_region" "current" {}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  # Written out instead of taken from the function: its role must be there before it is.
  function_arn = "arn:${data.aws_partition.current.partition}:lambda:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:function:${var.name}"

  secret_arns = [for arn in [var.amqp_url_arn, var.api_keys_arn, var.qdrant_api_key_arn] : arn if arn != null]
  # Each service has its own action, for its own ARNs. What follows a secret's name picks a member of it, and is no part of
  # the resource.
  by_secrets_manager = [for arn in local.secret_arns : join(":", slice(split(":", arn), 0, 7)) if split(":", arn)[2] == "secretsmanager"]
  by_ssm             = [for arn in local.secret_arns : arn if split(":", arn)[2] == "ssm"]

  environment = merge(
    { ALIOTH_AMQP_URL_ARN = var.amqp_url_arn },
    var.api_keys_arn == null ? {} : { ALIOTH_API_KEYS_ARN = var.api_keys_arn },
    var.qdrant_url == null ? {} : { ALIOTH_QDRANT_URL = var.qdrant_url },
    var.qdrant_api_key_arn == null ? {} : { ALIOTH_QDRANT_API_KEY_ARN = var.qdrant_api_key_arn },
    var.environment,
  )
}

resource "aws_cloudwatch_log_group" "function" {
  #checkov:skip=CKV_AWS_158:Encrypted with CloudWatch's keys unless logs_kms_key_arn is given; logs hold no payloads and no credentials.
  #checkov:skip=CKV_AWS_338:How long is the caller's choice; what happened to a write is of no use a year later.
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.logs_kms_key_arn
  tags              = var.tags
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "function" {
  #checkov:skip=CKV_AWS_356:The actions on network interfaces know no resource before the interface is there; the function's own code is denied them.
  #checkov:skip=CKV_AWS_111:Network interfaces again: they know no resource before they are there.
  statement {
    sid       = "WriteItsLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.function.arn}:*"]
  }

  dynamic "statement" {
    for_each = length(local.by_secrets_manager) > 0 ? [local.by_secrets_manager] : []

    content {
      sid       = "ReadItsSecrets"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = statement.value
    }
  }

  dynamic "statement" {
    for_each = length(local.by_ssm) > 0 ? [local.by_ssm] : []

    content {
      sid       = "ReadItsParameters"
      actions   = ["ssm:GetParameter"]
      resources = statement.value
    }
  }

  dynamic "statement" {
    for_each = length(var.secrets_kms_key_arns) > 0 ? [var.secrets_kms_key_arns] : []

    content {
      sid       = "DecryptThem"
      actions   = ["kms:Decrypt"]
      resources = statement.value
    }
  }

  # Lambda itself makes the interfaces in the VPC, in the role's name.
  statement {
    sid = "JoinTheVpc"
    actions = [
      "ec2:CreateNetworkInterface",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSubnets",
      "ec2:DeleteNetworkInterface",
      "ec2:AssignPrivateIpAddresses",
      "ec2:UnassignPrivateIpAddresses",
    ]
    resources = ["*"]
  }

  statement {
    sid    = "ButNotFromItsCode"
    effect = "Deny"
    actions = [
      "ec2:CreateNetworkInterface",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSubnets",
      "ec2:DeleteNetworkInterface",
      "ec2:AssignPrivateIpAddresses",
      "ec2:UnassignPrivateIpAddresses",
    ]
    resources = ["*"]

    condition {
      test     = "ArnEquals"
      variable = "lambda:SourceFunctionArn"
      values   = [local.function_arn]
    }
  }
}

resource "aws_iam_role" "function" {
  name_prefix        = substr("${var.name}-", 0, 38)
  description        = "What the function ${var.name} may do"
  assume_role_policy = data.aws_iam_policy_document.trust.json
  tags               = var.tags
}

resource "aws_iam_role_policy" "function" {
  name   = "function"
  role   = aws_iam_role.function.id
  policy = data.aws_iam_policy_document.function.json
}

resource "aws_security_group" "function" {
  name        = var.name
  description = "The function ${var.name}: nothing in, out to the broker, AWS and what egress names"
  vpc_id      = var.vpc_id
  tags        = merge(var.tags, { Name = var.name })
}

resource "aws_vpc_security_group_egress_rule" "amqps" {
  security_group_id = aws_security_group.function.id
  description       = "AMQP over TLS: the broker"
  cidr_ipv4         = "0.0.0.0/0"
  from_port         = 5671
  to_port           = 5671
  ip_protocol       = "tcp"
  tags              = var.tags
}

resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.function.id
  description       = "HTTPS: Secrets Manager and SSM"
  cidr_ipv4         = "0.0.0.0/0"
  from_port         = 443
  to_port           = 443
  ip_protocol       = "tcp"
  tags              = var.tags
}

resource "aws_vpc_security_group_egress_rule" "further" {
  for_each = var.egress

  security_group_id            = aws_security_group.function.id
  description                  = each.key
  cidr_ipv4                    = each.value.cidr_ipv4
  referenced_security_group_id = each.value.security_group_id
  from_port                    = each.value.port
  to_port                      = each.value.port
  ip_protocol                  = "tcp"
  tags                         = var.tags
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_116:A dead-letter queue takes asynchronous invocations; every one of these is waited for by who sent the write.
  #checkov:skip=CKV_AWS_272:Signing the zip is the affair of who builds it; the state has its hash.
  #checkov:skip=CKV_AWS_173:The environment has ARNs and settings, no secrets, and Lambda encrypts it anyway.
  #checkov:skip=CKV_AWS_50:Spans go to an OpenTelemetry collector (OTEL_EXPORTER_OTLP_ENDPOINT); X-Ray would be a second tracer beside it.
  function_name                  = var.name
  description                    = "Takes writes for Qdrant over HTTP and answers once RabbitMQ has confirmed them"
  role                           = aws_iam_role.function.arn
  runtime                        = "provided.al2023"
  handler                        = "bootstrap"
  architectures                  = [var.architecture]
  filename                       = var.zip_path
  source_code_hash               = filebase64sha256(var.zip_path)
  memory_size                    = var.memory_mb
  timeout                        = var.timeout_seconds
  reserved_concurrent_executions = var.reserved_concurrency
  # Requests go to a version by the alias, so that a new one takes over at once and whole.
  publish = true
  tags    = var.tags

  environment {
    variables = local.environment
  }

  vpc_config {
    subnet_ids         = var.subnet_ids
    security_group_ids = [aws_security_group.function.id]
  }

  logging_config {
    # As the function writes them: one JSON object a line.
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.function.name
  }

  # Without the policy Lambda can neither join the VPC nor leave it.
  depends_on = [aws_iam_role_policy.function]
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  description      = "The version that takes requests"
  function_name    = aws_lambda_function.this.function_name
  function_version = aws_lambda_function.this.version
}

resource "aws_lambda_provisioned_concurrency_config" "live" {
  count = var.provisioned_concurrency > 0 ? 1 : 0

  function_name                     = aws_lambda_function.this.function_name
  qualifier                         = aws_lambda_alias.live.name
  provisioned_concurrent_executions = var.provisioned_concurrency
}
