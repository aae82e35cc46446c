# accept as a Lambda function and the broker it writes to; the consumers run elsewhere and read the broker's URL from its
# secret. A VPC and a broker of one's own take the place of those made here.

terraform {
  required_version = ">= 1.11.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.69.1, < 7.0.0"
    }
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = { application = var.name }
  }
}

locals {
  vpc_id     = var.vpc == null ? module.network[0].vpc_id : var.vpc.vpc_id
  subnet_ids = var.vpc == null ? module.network[0].private_subnet_ids : var.vpc.private_subnet_ids
}

module "network" {
  source = "../../modules/network"
  count  = var.vpc == null ? 1 : 0

  name = var.name
}

module "broker" {
  source = "../../modules/broker"
  count  = var.amqp_url_arn == null ? 1 : 0

  name       = var.name
  vpc_id     = local.vpc_id
  subnet_ids = local.subnet_ids
  clients    = merge({ accept = module.accept.security_group_id }, var.consumer_security_group_ids)
}

# The first key of clients. Its secret takes more of them, separated by commas: accept notices within minutes.
ephemeral "aws_secretsmanager_random_password" "api_key" {
  password_length     = 40
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret" "api_keys" {
  #checkov:skip=CKV2_AWS_57:Clients hold these keys: changing one behind their backs would lock them out.
  #checkov:skip=CKV_AWS_149:Encrypted with the account's key of Secrets Manager.
  name_prefix = "${var.name}-api-keys-"
  description = "ALIOTH_API_KEYS of ${var.name}"
}

resource "aws_secretsmanager_secret_version" "api_keys" {
  secret_id                = aws_secretsmanager_secret.api_keys.id
  secret_string_wo         = ephemeral.aws_secretsmanager_random_password.api_key.random_password
  secret_string_wo_version = 1
}

module "accept" {
  source = "../../modules/accept-lambda"

  name          = "${var.name}-accept"
  zip_path      = var.zip_path
  architecture  = var.architecture
  vpc_id        = local.vpc_id
  subnet_ids    = local.subnet_ids
  amqp_url_arn  = var.amqp_url_arn == null ? module.broker[0].amqp_url_secret_arn : var.amqp_url_arn
  api_keys_arn  = aws_secretsmanager_secret_version.api_keys.secret_arn
  alarm_actions = var.alarm_actions

  reserved_concurrency = var.reserved_concurrency
}
