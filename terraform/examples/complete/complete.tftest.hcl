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
  mock_resource "aws_eks_cluster" {
    defaults = {
      certificate_authority = [{ data = "LS0t" }]
      identity              = [{ oidc = [{ issuer = "https://oidc.eks.eu-central-1.amazonaws.com/id/0" }] }]
      vpc_config            = { cluster_security_group_id = "sg-2" }
    }
  }
  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/0" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::alioth-snapshots-1", bucket_region = "eu-central-1" }
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

mock_provider "helm" {}

variables {
  image    = { registry = "registry.example.com/alioth" }
  region   = "eu-central-1"
  zip_path = "../../modules/accept-lambda/tests/fixtures/bootstrap.zip"
}

run "makes_all_of_it" {
  command = apply

  assert {
    condition     = output.url == "https://api.example.com" && output.cluster_name == "alioth" && output.namespace == "alioth"
    error_message = "an output that the README's next step uses is not there"
  }

  assert {
    condition     = output.accept_url_in_the_cluster == "http://alioth-ingest-accept.alioth.svc"
    error_message = "no address to write to inside the cluster"
  }
}

run "refuses_what_cannot_be" {
  command = plan

  variables {
    region               = "Frankfurt"
    name                 = "Alioth"
    zip_path             = "bootstrap"
    architecture         = "riscv64"
    image                = { registry = "" }
    kubernetes_api_cidrs = ["everywhere"]
    admin_role_arns      = { operators = "operators" }
    qdrant_chart_version = "latest"
    alarm_actions        = ["topic"]
    reserved_concurrency = 0
  }

  expect_failures = [
    var.region, var.name, var.zip_path, var.architecture, var.image, var.kubernetes_api_cidrs, var.admin_role_arns,
    var.qdrant_chart_version, var.alarm_actions, var.reserved_concurrency,
  ]
}
