# Everything: a network, RabbitMQ, the bucket, accept as a Lambda function, a cluster with Qdrant, KEDA and the chart.

terraform {
  required_version = ">= 1.11.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.69.1, < 7.0.0"
    }
    helm = {
      source  = "hashicorp/helm"
      version = ">= 3.3.0, < 4.0.0"
    }
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = { application = var.name }
  }
}

# Good for a quarter of an hour, asked for anew in every run, and in no state.
ephemeral "aws_eks_cluster_auth" "this" {
  name = module.cluster.name
}

provider "helm" {
  kubernetes = {
    host                   = module.cluster.endpoint
    cluster_ca_certificate = module.cluster.certificate_authority
    token                  = ephemeral.aws_eks_cluster_auth.this.token
  }
}

module "network" {
  source = "../../modules/network"

  name         = var.name
  nat_gateways = "one"
}

module "broker" {
  source = "../../modules/broker"

  name               = var.name
  vpc_id             = module.network.vpc_id
  subnet_ids         = module.network.private_subnet_ids
  clients            = { accept = module.accept.security_group_id, cluster = module.cluster.security_group_id }
  management_clients = { keda = module.cluster.security_group_id }
  alarm_actions      = var.alarm_actions
}

module "bucket" {
  source = "../../modules/bucket"

  name           = "${var.name}-snapshots-"
  name_is_prefix = true
  force_destroy  = var.force_destroy
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
  vpc_id        = module.network.vpc_id
  subnet_ids    = module.network.private_subnet_ids
  amqp_url_arn  = module.broker.amqp_url_secret_arn
  api_keys_arn  = aws_secretsmanager_secret_version.api_keys.secret_arn
  alarm_actions = var.alarm_actions

  reserved_concurrency = var.reserved_concurrency
}

module "cluster" {
  source = "../../modules/cluster"

  name                = var.name
  subnet_ids          = module.network.private_subnet_ids
  public_access_cidrs = var.kubernetes_api_cidrs
  admin_role_arns     = var.admin_role_arns
}

resource "helm_release" "qdrant" {
  name             = "qdrant"
  repository       = "https://qdrant.github.io/qdrant-helm"
  chart            = "qdrant"
  version          = var.qdrant_chart_version
  namespace        = "qdrant"
  create_namespace = true
  atomic           = true
  values = [yamlencode({
    replicaCount = 3
    config       = { cluster = { enabled = true } }
  })]
}

module "alioth" {
  source = "../../modules/alioth"

  name  = var.name
  chart = "../../../helm/alioth"
  image = var.image

  broker = {
    host                = module.broker.host
    port                = module.broker.port
    username            = module.broker.username
    password_secret_arn = module.broker.password_secret_arn
  }

  qdrant = {
    urls      = ["http://qdrant.${helm_release.qdrant.namespace}.svc:6334"]
    rest_urls = ["http://qdrant-headless.${helm_release.qdrant.namespace}.svc:6333"]
  }

  bucket = {
    name         = module.bucket.name
    arn          = module.bucket.arn
    region       = module.bucket.region
    kms_key_arn  = module.bucket.kms_key_arn
    cluster_name = var.name
  }

  oidc_provider_arn = module.cluster.oidc_provider_arn
}
