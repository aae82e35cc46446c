# With mocked providers: what is planned from which variables, not what AWS and Helm make of it.
mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/alioth-jobs-1" }
  }
}

mock_provider "helm" {}

variables {
  chart  = "../../../helm/alioth"
  image  = { registry = "registry.example.com/alioth" }
  broker = { host = "b-1.example.com", username = "alioth", password_secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:password-a1b2c3" }
  qdrant = { urls = ["http://qdrant:6334"], rest_urls = ["http://qdrant:6333"] }
  bucket = { name = "snapshots", arn = "arn:aws:s3:::snapshots", region = "eu-central-1" }

  oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/0"
}

run "jobs_have_a_role_for_the_bucket_alone" {
  command = apply

  assert {
    condition = contains(
      flatten([for condition in data.aws_iam_policy_document.jobs_trust.statement[0].condition : condition.values]),
      "system:serviceaccount:alioth:alioth-jobs",
    )
    error_message = "others than the jobs' service account may take the role"
  }
}

run "secrets_are_neither_in_values_nor_in_the_state" {
  command = apply

  assert {
    condition     = helm_release.alioth.set_wo == null && helm_release.alioth.set_sensitive == null && !strcontains(join("", helm_release.alioth.values), "password")
    error_message = "the state has a password"
  }

  assert {
    condition     = yamldecode(helm_release.alioth.values[0]).s3.serviceAccountAnnotations["eks.amazonaws.com/role-arn"] == "arn:aws:iam::123456789012:role/alioth-jobs-1"
    error_message = "the jobs do not have the role"
  }

  assert {
    condition     = output.accept_url == "http://alioth-ingest-accept.alioth.svc"
    error_message = "not the address of accept's Service"
  }
}

run "keda_is_left_alone_where_it_is_there" {
  command = apply

  variables {
    install_keda = false
    set          = { "ingestConsume.scaling.maxReplicas" = "20" }
  }

  assert {
    condition     = length(helm_release.keda) == 0 && helm_release.alioth.set[0].value == "20"
    error_message = "KEDA is installed a second time, or a value is not set"
  }
}

run "a_key_for_qdrant_and_one_for_the_bucket" {
  command = apply

  variables {
    qdrant = {
      urls               = ["https://qdrant.example.com:6334"]
      rest_urls          = ["https://qdrant.example.com:6333"]
      api_key_secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:qdrant-a1b2c3"
    }
    bucket = { name = "snapshots", arn = "arn:aws:s3:::snapshots", region = "eu-central-1", kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/0" }
  }

  assert {
    condition     = length(data.aws_iam_policy_document.jobs.statement) == 3
    error_message = "the jobs may not use the bucket's key"
  }
}

run "refuses_what_cannot_be" {
  command = plan

  variables {
    name              = "Alioth"
    namespace         = "-"
    chart             = ""
    image             = { registry = "" }
    broker            = { host = "b-1.example.com", username = "alioth", password_secret_arn = "secret" }
    qdrant            = { urls = [], rest_urls = [] }
    secrets_revision  = 0
    bucket            = { name = "snapshots", arn = "snapshots", region = "eu-central-1" }
    oidc_provider_arn = "https://oidc.eks.eu-central-1.amazonaws.com/id/0"
    keda_version      = "3"
    keda_namespace    = "-"
    set               = { "rabbitmq.auth.password" = "secret" }
    values            = ["a: b: c"]
  }

  expect_failures = [
    var.name, var.namespace, var.chart, var.image, var.broker, var.qdrant, var.secrets_revision, var.bucket,
    var.oidc_provider_arn, var.keda_version, var.keda_namespace, var.set, var.values,
  ]
}

run "refuses_a_keda_whose_operator_dies" {
  command = plan

  variables {
    keda_version = "2.20.1"
  }

  expect_failures = [var.keda_version]
}

run "refuses_an_address_without_a_version" {
  command = plan

  variables {
    chart = "oci://registry.example.com/charts/alioth"
  }

  expect_failures = [var.chart_version]
}
