# With mocked providers: that the modules fit together, not what AWS makes of it.
mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-central-1a", "eu-central-1b", "eu-central-1c"] }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_data "aws_mq_broker" {
    defaults = {
      instances = [{ console_url = "https://b-1.example.com", endpoints = ["amqps://b-1.example.com:5671"], ip_address = "10.0.0.1" }]
    }
  }
  mock_resource "aws_cloudformation_stack" {
    defaults = { outputs = { BrokerId = "b-1", BrokerArn = "arn:aws:mq:eu-central-1:123456789012:broker:alioth:b-1" } }
  }
  mock_resource "aws_vpc" {
    defaults = { id = "vpc-1" }
  }
  mock_resource "aws_security_group" {
    defaults = { id = "sg-1" }
  }
  mock_resource "aws_apigatewayv2_api" {
    defaults = { api_endpoint = "https://api.example.com" }
  }
  mock_resource "aws_secretsmanager_secret_version" {
    defaults = { secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mocked" }
  }
}

variables {
  region   = "eu-central-1"
  zip_path = "../../modules/accept-lambda/tests/fixtures/bootstrap.zip"
}

run "makes_all_of_it" {
  command = apply

  assert {
    condition     = output.url == "https://api.example.com"
    error_message = "no address to write to"
  }

  assert {
    condition     = output.amqp_url_secret_arn == "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mocked"
    error_message = "no secret for the consumers"
  }
}

run "takes_a_vpc_and_a_broker_of_ones_own" {
  command = apply

  variables {
    vpc          = { vpc_id = "vpc-2", private_subnet_ids = ["subnet-1"] }
    amqp_url_arn = "arn:aws:ssm:eu-central-1:123456789012:parameter/alioth/amqp-url"
  }

  assert {
    condition     = length(module.network) == 0 && length(module.broker) == 0 && output.amqp_url_secret_arn == var.amqp_url_arn
    error_message = "a second VPC or broker is made"
  }
}

run "refuses_what_cannot_be" {
  command = plan

  variables {
    region                      = "Frankfurt"
    name                        = "Alioth"
    zip_path                    = "bootstrap"
    architecture                = "riscv64"
    vpc                         = { vpc_id = "1", private_subnet_ids = [] }
    amqp_url_arn                = "amqps://b-1.example.com"
    consumer_security_group_ids = { accept = "sg-1" }
    alarm_actions               = ["topic"]
    reserved_concurrency        = 0
  }

  expect_failures = [
    var.region, var.name, var.zip_path, var.architecture, var.vpc, var.amqp_url_arn, var.consumer_security_group_ids, var.alarm_actions, var.reserved_concurrency,
  ]
}
