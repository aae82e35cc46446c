# With mocked providers: what is planned from which variables, not what AWS makes of it.
mock_provider "aws" {
  mock_resource "aws_cloudformation_stack" {
    defaults = { outputs = { BrokerId = "b-1", BrokerArn = "arn:aws:mq:eu-central-1:123456789012:broker:alioth:b-1" } }
  }
  mock_data "aws_mq_broker" {
    defaults = {
      instances = [{ console_url = "https://b-1.example.com", endpoints = ["amqps://b-1.example.com:5671"], ip_address = "10.0.0.1" }]
    }
  }
  mock_resource "aws_secretsmanager_secret" {
    defaults = { arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mocked" }
  }
}

variables {
  vpc_id     = "vpc-1"
  subnet_ids = ["subnet-1", "subnet-2", "subnet-3"]
  clients    = { accept = "sg-accept" }
}

run "is_private_and_in_three_zones" {
  command = apply

  assert {
    condition     = jsondecode(aws_cloudformation_stack.broker.template_body).Resources.Broker.Properties.PubliclyAccessible == false
    error_message = "the broker has a public address"
  }

  assert {
    condition = (
      jsondecode(aws_cloudformation_stack.broker.template_body).Resources.Broker.Properties.DeploymentMode == "CLUSTER_MULTI_AZ"
      && length(jsondecode(aws_cloudformation_stack.broker.template_body).Resources.Broker.Properties.SubnetIds) == 3
    )
    error_message = "not a cluster in three zones"
  }

  # Another name for the same broker would replace it.
  assert {
    condition     = jsondecode(aws_cloudformation_stack.broker.template_body).Resources.Broker.Properties.BrokerName == "alioth-ee2986"
    error_message = "another name: ${jsondecode(aws_cloudformation_stack.broker.template_body).Resources.Broker.Properties.BrokerName}"
  }

  assert {
    condition     = join(" ", keys(aws_vpc_security_group_ingress_rule.amqps)) == "accept" && length(aws_vpc_security_group_ingress_rule.management) == 0
    error_message = "others than the clients may connect"
  }
}

run "the_password_is_only_pointed_at" {
  command = apply

  assert {
    condition = (
      jsondecode(aws_cloudformation_stack.broker.template_body).Resources.Broker.Properties.Users[0].Password
      == "{{resolve:secretsmanager:arn:aws:secretsmanager:eu-central-1:123456789012:secret:mocked:SecretString}}"
    )
    error_message = "the template has the password"
  }

  assert {
    condition     = output.host == "b-1.example.com" && output.port == 5671
    error_message = "the host is not that of the endpoint"
  }

  assert {
    condition     = aws_secretsmanager_secret_version.password.secret_string == null && aws_secretsmanager_secret_version.url.secret_string == null
    error_message = "the state has a secret"
  }
}

run "one_node_in_one_subnet" {
  command = apply

  variables {
    cluster    = false
    subnet_ids = ["subnet-1", "subnet-2"]
  }

  assert {
    condition     = join(" ", jsondecode(aws_cloudformation_stack.broker.template_body).Resources.Broker.Properties.SubnetIds) == "subnet-1"
    error_message = "a single broker wants exactly one subnet"
  }
}

# The old one stays until it is empty, and Amazon MQ has no two brokers of one name.
run "a_broker_that_takes_the_place_of_another_has_another_name" {
  command = apply

  variables {
    cluster = false
  }

  assert {
    condition     = jsondecode(aws_cloudformation_stack.broker.template_body).Resources.Broker.Properties.BrokerName != "alioth-ee2986"
    error_message = "the second broker cannot be made"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.backlog.dimensions.Broker == jsondecode(aws_cloudformation_stack.broker.template_body).Resources.Broker.Properties.BrokerName
    error_message = "the alarm watches another broker"
  }
}

run "refuses_a_size_that_rabbitmq_4_does_not_have" {
  command = plan

  variables {
    instance_type = "mq.m5.large"
  }

  expect_failures = [var.engine_version]
}

run "refuses_what_cannot_be" {
  command = plan

  variables {
    name                   = "Broker_"
    vpc_id                 = "1"
    subnet_ids             = ["subnet-1"]
    instance_type          = "mq.t3.micro"
    clients                = { accept = "10.0.0.0/8" }
    management_clients     = { keda = "10.0.0.0/8" }
    username               = "guest"
    kms_key_arn            = "alias/broker"
    maintenance_window     = { day_of_week = "Sunday" }
    secret_recovery_days   = 3
    backlog_alarm_messages = 0
    alarm_actions          = ["topic"]
  }

  expect_failures = [
    var.name, var.vpc_id, var.subnet_ids, var.instance_type, var.clients, var.management_clients,
    var.username, var.kms_key_arn, var.maintenance_window, var.secret_recovery_days, var.backlog_alarm_messages, var.alarm_actions,
  ]
}
