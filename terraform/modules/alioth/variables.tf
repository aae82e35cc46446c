variable "name" {
  description = "Name of the release, and of everything it makes in the cluster."
  type        = string
  default     = "alioth"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,36}[a-z0-9]$", var.name))
    error_message = "name: 2 to 38 lower-case letters, digits and hyphens, a letter first and no hyphen last."
  }
}

variable "namespace" {
  description = "Namespace of the release; made if it is not there."
  type        = string
  default     = "alioth"

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.namespace))
    error_message = "namespace: a name as Kubernetes takes it."
  }
}

variable "chart" {
  description = "The chart: the path of helm/alioth, or its address in a registry (oci://…)."
  type        = string

  validation {
    condition     = length(var.chart) > 0
    error_message = "chart: a path or an address."
  }
}

variable "chart_version" {
  description = "Version of the chart in a registry; null for a path."
  type        = string
  default     = null

  validation {
    condition     = var.chart_version == null || can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+", var.chart_version))
    error_message = "chart_version: as 0.1.0."
  }

  validation {
    condition     = (var.chart_version != null) == startswith(var.chart, "oci://")
    error_message = "chart_version: with an address in a registry, and only then."
  }
}

variable "image" {
  description = "Registry and path before each function's name, and the tag of all of them; no tag: the chart's own version."
  type = object({
    registry = string
    tag      = optional(string, "")
  })

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9._:/-]*[a-z0-9]$", var.image.registry))
    error_message = "image: a registry, as 123456789012.dkr.ecr.eu-central-1.amazonaws.com/alioth."
  }
}

variable "broker" {
  description = "RabbitMQ, as the module broker puts it out: host, port of AMQP over TLS, port of the management API, user, and the secret whose text is its password."
  type = object({
    host                = string
    port                = optional(number, 5671)
    management_port     = optional(number, 443)
    username            = string
    password_secret_arn = string
    queue_prefix        = optional(string, "")
  })

  validation {
    condition     = can(regex("^arn:[^:]+:secretsmanager:", var.broker.password_secret_arn))
    error_message = "broker: password_secret_arn is the ARN of a Secrets Manager secret."
  }
}

variable "qdrant" {
  description = "Qdrant: gRPC and REST addresses of one cluster's nodes, and the secret whose text is its API key, if it has one."
  type = object({
    urls               = list(string)
    rest_urls          = list(string)
    api_key_secret_arn = optional(string)
  })

  validation {
    condition     = length(var.qdrant.urls) > 0 && length(var.qdrant.rest_urls) > 0 && alltrue([for url in concat(var.qdrant.urls, var.qdrant.rest_urls) : can(regex("^https?://", url))])
    error_message = "qdrant: at least one address of each kind, as http://qdrant:6334 and http://qdrant:6333."
  }
}

variable "secrets_revision" {
  description = "Raise it after a secret was changed: nothing of a secret is in the state, so nothing else tells."
  type        = number
  default     = 1

  validation {
    condition     = var.secrets_revision >= 1 && floor(var.secrets_revision) == var.secrets_revision
    error_message = "secrets_revision: a whole number, at least 1."
  }
}

variable "bucket" {
  description = "The bucket of snapshots, as the module bucket puts it out, and what this cluster is called in it."
  type = object({
    name         = string
    arn          = string
    region       = string
    kms_key_arn  = optional(string)
    cluster_name = optional(string, "default")
  })

  validation {
    condition     = can(regex("^arn:[^:]+:s3:::", var.bucket.arn))
    error_message = "bucket: arn is that of a bucket."
  }
}

variable "oidc_provider_arn" {
  description = "Identity provider of the cluster's service accounts, by which snapshot and restore get their role; the module cluster has it."
  type        = string

  validation {
    condition     = can(regex("^arn:[^:]+:iam::[0-9]{12}:oidc-provider/.+", var.oidc_provider_arn))
    error_message = "oidc_provider_arn: the ARN of an IAM identity provider."
  }
}

variable "install_keda" {
  description = "Whether to install KEDA; false where the cluster has it."
  type        = bool
  default     = true
}

variable "keda_version" {
  description = "Version of KEDA's chart, which is that of KEDA; 2.20.2 at least."
  type        = string
  default     = "2.20.2"

  # Before 2.20.1 its operator dies where several triggers of one object fail at once, as here with RabbitMQ away:
  # https://github.com/kedacore/keda/issues/7838; before 2.20.2 over a CA: https://github.com/kedacore/keda/pull/7911
  validation {
    condition     = can(regex("^2\\.[0-9]+\\.[0-9]+$", var.keda_version)) && try(tonumber(split(".", var.keda_version)[1]) * 1000 + tonumber(split(".", var.keda_version)[2]) >= 20002, false)
    error_message = "keda_version: 2.20.2 or a later one, as 2.20.2."
  }
}

variable "keda_namespace" {
  description = "Namespace of KEDA."
  type        = string
  default     = "keda"

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.keda_namespace))
    error_message = "keda_namespace: a name as Kubernetes takes it."
  }
}

variable "set" {
  description = "Single values of the chart by their paths, after all else, as { \"ingestConsume.scaling.maxReplicas\" = \"20\" }. No secrets: they would be in the state."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for path in keys(var.set) : can(regex("^[a-zA-Z][\\w.\\[\\]-]*$", path)) && !can(regex("(?i)(password|apikey|secretaccesskey|apikeys.keys)", path))])
    error_message = "set: paths of values, as ingestConsume.scaling.maxReplicas; a secret has a way of its own."
  }
}

variable "values" {
  description = "Documents of values for the chart in YAML, each over the one before. No secrets: they would be in the state."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for document in var.values : can(yamldecode(document))])
    error_message = "values: YAML."
  }
}

variable "tags" {
  description = "Tags of everything that takes tags."
  type        = map(string)
  default     = {}
}
