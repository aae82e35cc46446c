# RabbitMQ, private, by Amazon MQ, and two secrets: the password of its user, and the URL that the functions read.
#
# The broker itself is made by a CloudFormation stack, since aws_mq_broker keeps its user's password in the state: no
# argument of it is write-only. CloudFormation reads the password from Secrets Manager when it makes the broker, and
# neither template, state nor plan ever has it.

locals {
  subnet_ids = var.cluster ? slice(var.subnet_ids, 0, 3) : slice(var.subnet_ids, 0, 1)

  # With another subnet, mode or key CloudFormation makes another broker while this one is still there, and there are no two
  # of one name: so the name has them in it.
  broker_name = format("%s-%s", var.name, substr(sha256(jsonencode([local.subnet_ids, var.cluster, var.kms_key_arn])), 0, 6))

  # CloudFormation takes the region and account from where the stack is made.
  template = {
    AWSTemplateFormatVersion = "2010-09-09"
    Description              = "RabbitMQ of ${var.name}; made by Terraform, which is where to change it"
    Resources = {
      Broker = {
        Type = "AWS::AmazonMQ::Broker"
        # A write that was accepted lies here until it is applied: nothing but an empty broker is to be replaced.
        UpdateReplacePolicy = "Retain"
        Properties = {
          BrokerName              = local.broker_name
          EngineType              = "RABBITMQ"
          EngineVersion           = var.engine_version
          HostInstanceType        = var.instance_type
          DeploymentMode          = var.cluster ? "CLUSTER_MULTI_AZ" : "SINGLE_INSTANCE"
          PubliclyAccessible      = false
          SubnetIds               = local.subnet_ids
          SecurityGroups          = [aws_security_group.broker.id]
          AutoMinorVersionUpgrade = true
          EncryptionOptions       = merge({ UseAwsOwnedKey = var.kms_key_arn == null }, var.kms_key_arn == null ? {} : { KmsKeyId = var.kms_key_arn })
          Logs                    = { General = true }
          MaintenanceWindowStartTime = {
            DayOfWeek = var.maintenance_window.day_of_week
            TimeOfDay = var.maintenance_window.time_of_day
            TimeZone  = "UTC"
          }
          # Without a version: were it there, a new password would ask Amazon MQ for a change of the user, which it does
          # not make for RabbitMQ.
          Users = [{
            Username = var.username
            Password = "{{resolve:secretsmanager:${aws_secretsmanager_secret.password.arn}:SecretString}}"
          }]
          Tags = [for key, value in var.tags : { Key = key, Value = value }]
        }
      }
    }
    Outputs = {
      BrokerId  = { Value = { Ref = "Broker" } }
      BrokerArn = { Value = { "Fn::GetAtt" = ["Broker", "Arn"] } }
    }
  }

  # As amqps://<id>.mq.<region>.….com:5671
  endpoint = data.aws_mq_broker.this.instances[0].endpoints[0]
}

resource "aws_security_group" "broker" {
  #checkov:skip=CKV2_AWS_5:Attached to the broker by the stack, which checkov does not read.
  name        = "${var.name}-broker"
  description = "RabbitMQ: AMQP over TLS from the functions, the management API from KEDA"
  vpc_id      = var.vpc_id
  tags        = merge(var.tags, { Name = "${var.name}-broker" })
}

resource "aws_vpc_security_group_ingress_rule" "amqps" {
  for_each = var.clients

  security_group_id            = aws_security_group.broker.id
  description                  = "AMQP over TLS from ${each.key}"
  referenced_security_group_id = each.value
  from_port                    = 5671
  to_port                      = 5671
  ip_protocol                  = "tcp"
  tags                         = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "management" {
  for_each = var.management_clients

  security_group_id            = aws_security_group.broker.id
  description                  = "Management API from ${each.key}"
  referenced_security_group_id = each.value
  from_port                    = 443
  to_port                      = 443
  ip_protocol                  = "tcp"
  tags                         = var.tags
}

# Letters and digits alone: the password stands in a URL, and Amazon MQ refuses some punctuation.
ephemeral "aws_secretsmanager_random_password" "password" {
  password_length            = 48
  exclude_punctuation        = true
  require_each_included_type = true
}

resource "aws_secretsmanager_secret" "password" {
  #checkov:skip=CKV2_AWS_57:Amazon MQ does not change the password of a RabbitMQ user; how to do it is in the README.
  #checkov:skip=CKV_AWS_149:Encrypted with the account's key of Secrets Manager unless kms_key_arn is given.
  name_prefix             = "${var.name}-broker-password-"
  description             = "Password of the user ${var.username} of RabbitMQ ${var.name}"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.secret_recovery_days
  tags                    = var.tags
}

resource "aws_secretsmanager_secret_version" "password" {
  secret_id        = aws_secretsmanager_secret.password.id
  secret_string_wo = ephemeral.aws_secretsmanager_random_password.password.random_password
  # Never raised: the random password is another one with every run, the broker's is not.
  secret_string_wo_version = 1
}

resource "aws_cloudformation_stack" "broker" {
  #checkov:skip=CKV_AWS_124:Terraform waits for the stack and reports its failure.
  name               = "${var.name}-broker"
  template_body      = jsonencode(local.template)
  on_failure         = "DELETE"
  timeout_in_minutes = 60
  tags               = var.tags

  depends_on = [aws_secretsmanager_secret_version.password]
}

data "aws_mq_broker" "this" {
  broker_id = aws_cloudformation_stack.broker.outputs["BrokerId"]
}

# Read back instead of taken from above: in a later run the random password is another one.
ephemeral "aws_secretsmanager_secret_version" "password" {
  secret_id  = aws_secretsmanager_secret.password.id
  version_id = aws_secretsmanager_secret_version.password.version_id
}

resource "aws_secretsmanager_secret" "url" {
  #checkov:skip=CKV2_AWS_57:Amazon MQ does not change the password of a RabbitMQ user; how to do it is in the README.
  #checkov:skip=CKV_AWS_149:Encrypted with the account's key of Secrets Manager unless kms_key_arn is given.
  name_prefix             = "${var.name}-amqp-url-"
  description             = "ALIOTH_AMQP_URL of ${var.name}"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.secret_recovery_days
  tags                    = var.tags
}

resource "aws_secretsmanager_secret_version" "url" {
  secret_id = aws_secretsmanager_secret.url.id
  # %2f is the default virtual host.
  secret_string_wo = format("%s/%%2f", replace(local.endpoint, "amqps://", format(
    "amqps://%s:%s@", var.username, ephemeral.aws_secretsmanager_secret_version.password.secret_string
  )))
  # Written again when the broker is another one.
  secret_string_wo_version = parseint(substr(sha256(local.endpoint), 0, 8), 16)
}

resource "aws_cloudwatch_metric_alarm" "backlog" {
  alarm_name          = "${var.name}-broker-backlog"
  alarm_description   = "Messages wait in RabbitMQ and are not applied: consumers are away, or Qdrant is"
  namespace           = "AWS/AmazonMQ"
  metric_name         = "MessageCount"
  dimensions          = { Broker = local.broker_name }
  statistic           = "Minimum"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.backlog_alarm_messages
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = var.tags
}
