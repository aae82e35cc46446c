variable "region" {
  description = "Region of everything."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region: as eu-central-1."
  }
}

variable "name" {
  description = "Before the names of everything."
  type        = string
  default     = "alioth"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,22}[a-z0-9]$", var.name))
    error_message = "name: 2 to 24 lower-case letters, digits and hyphens, a letter first and no hyphen last."
  }
}

variable "zip_path" {
  description = "The zip that `make lambda` makes."
  type        = string

  validation {
    condition     = endswith(var.zip_path, ".zip")
    error_message = "zip_path: a zip."
  }
}

variable "architecture" {
  description = "What the zip was built for: x86_64 or arm64."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture: x86_64 or arm64."
  }
}

variable "image" {
  description = "Registry and path before each function's name, and the tag of all of them; no tag: the chart's own version."
  type = object({
    registry = string
    tag      = optional(string, "")
  })

  validation {
    condition     = length(var.image.registry) > 0
    error_message = "image: a registry."
  }
}

variable "kubernetes_api_cidrs" {
  description = "Networks that reach the Kubernetes API: that from which Terraform runs, unless it runs in the VPC."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.kubernetes_api_cidrs : can(cidrnetmask(cidr))])
    error_message = "kubernetes_api_cidrs: IPv4 networks, as 192.0.2.0/24."
  }
}

variable "admin_role_arns" {
  description = "IAM roles that administer the cluster beside who makes it, by a name of yours for each."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name, arn in var.admin_role_arns : startswith(arn, "arn:")])
    error_message = "admin_role_arns: ARNs."
  }
}

variable "qdrant_chart_version" {
  description = "Version of Qdrant's chart, which is that of Qdrant."
  type        = string
  default     = "1.19.0"

  validation {
    condition     = can(regex("^1\\.[0-9]+\\.[0-9]+$", var.qdrant_chart_version))
    error_message = "qdrant_chart_version: as 1.19.0."
  }
}

variable "reserved_concurrency" {
  description = "Environments of accept at once, at most, taken from the account's own; -1: no bound but the account's."
  type        = number
  default     = 100

  validation {
    condition     = var.reserved_concurrency == -1 || var.reserved_concurrency >= 1
    error_message = "reserved_concurrency: -1, or at least 1."
  }
}

variable "force_destroy" {
  description = "Whether a destroy removes the bucket although it still holds snapshots."
  type        = bool
  default     = false
}

variable "alarm_actions" {
  description = "ARNs that the alarms tell, as of an SNS topic."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.alarm_actions : startswith(arn, "arn:")])
    error_message = "alarm_actions: ARNs."
  }
}
