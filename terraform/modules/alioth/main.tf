# KEDA and the chart in a cluster, and the role of the jobs that use the bucket. The provider helm is configured by who
# calls this; secrets go from Secrets Manager into the release as write-only values, past plan and state.

locals {
  # What follows the ARN's slash is the issuer, as policies name it.
  issuer          = split(":oidc-provider/", var.oidc_provider_arn)[1]
  service_account = "${var.name}-jobs"

  values = {
    fullnameOverride = var.name
    image            = { registry = var.image.registry, tag = var.image.tag }
    rabbitmq = {
      host        = var.broker.host
      port        = var.broker.port
      vhost       = "/"
      queuePrefix = var.broker.queue_prefix
      tls         = { enabled = true }
      management  = { enabled = true, port = var.broker.management_port }
      auth        = { username = var.broker.username }
      # Amazon MQ makes one user. RabbitMQ can have another for KEDA, with fewer rights: set says which.
      keda = { username = var.broker.username }
    }
    qdrant = { urls = var.qdrant.urls, restUrls = var.qdrant.rest_urls }
    s3 = {
      bucket                    = var.bucket.name
      region                    = var.bucket.region
      cluster                   = var.bucket.cluster_name
      serviceAccountAnnotations = { "eks.amazonaws.com/role-arn" = aws_iam_role.jobs.arn }
    }
    keda = { namespace = var.keda_namespace }
  }
}

data "aws_iam_policy_document" "jobs_trust" {
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [var.oidc_provider_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:sub"
      values   = ["system:serviceaccount:${var.namespace}:${local.service_account}"]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }
  }
}

# What shared/snapshot-store's README says its credentials must allow, and no more.
data "aws_iam_policy_document" "jobs" {
  statement {
    sid       = "ListTheBucket"
    actions   = ["s3:ListBucket", "s3:ListBucketMultipartUploads"]
    resources = [var.bucket.arn]
  }

  statement {
    sid       = "ReadAndWriteSnapshots"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    resources = ["${var.bucket.arn}/*"]
  }

  dynamic "statement" {
    for_each = var.bucket.kms_key_arn == null ? [] : [var.bucket.kms_key_arn]

    content {
      sid       = "UseTheKey"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]
    }
  }
}

resource "aws_iam_role" "jobs" {
  name_prefix        = substr("${var.name}-jobs-", 0, 38)
  description        = "snapshot and restore of ${var.name}, on the bucket ${var.bucket.name}"
  assume_role_policy = data.aws_iam_policy_document.jobs_trust.json
  tags               = var.tags
}

resource "aws_iam_role_policy" "jobs" {
  name   = "bucket"
  role   = aws_iam_role.jobs.id
  policy = data.aws_iam_policy_document.jobs.json
}

resource "helm_release" "keda" {
  count = var.install_keda ? 1 : 0

  name             = "keda"
  repository       = "https://kedacore.github.io/charts"
  chart            = "keda"
  version          = var.keda_version
  namespace        = var.keda_namespace
  create_namespace = true
  atomic           = true
}

ephemeral "aws_secretsmanager_secret_version" "broker_password" {
  secret_id = var.broker.password_secret_arn
}

ephemeral "aws_secretsmanager_secret_version" "qdrant_api_key" {
  count = var.qdrant.api_key_secret_arn == null ? 0 : 1

  secret_id = var.qdrant.api_key_secret_arn
}

resource "helm_release" "alioth" {
  name             = var.name
  chart            = var.chart
  version          = var.chart_version
  namespace        = var.namespace
  create_namespace = true
  atomic           = true
  wait             = true
  values           = concat([yamlencode(local.values)], var.values)
  set              = [for path in sort(keys(var.set)) : { name = path, value = var.set[path] }]

  # A comma ends a value where Helm reads it.
  set_wo = concat(
    [for path in ["rabbitmq.auth.password", "rabbitmq.keda.password"] : {
      name  = path
      value = replace(ephemeral.aws_secretsmanager_secret_version.broker_password.secret_string, ",", "\\,")
      type  = "string"
    }],
    [for key in ephemeral.aws_secretsmanager_secret_version.qdrant_api_key : {
      name  = "qdrant.apiKey"
      value = replace(key.secret_string, ",", "\\,")
      type  = "string"
    }],
  )
  set_wo_revision = var.secrets_revision

  # The chart has KEDA's objects, which the API takes only once KEDA is there; and jobs start at once.
  depends_on = [helm_release.keda, aws_iam_role_policy.jobs]
}
