variable "name" {
  description = "Name of the cluster, and before the names of what belongs to it."
  type        = string
  default     = "alioth"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}[a-z0-9]$", var.name))
    error_message = "name: 2 to 32 lower-case letters, digits and hyphens, a letter first and no hyphen last."
  }
}

variable "kubernetes_version" {
  description = "Version of Kubernetes, major and minor; the chart wants 1.30 at least."
  type        = string
  default     = "1.35"

  validation {
    condition     = can(regex("^1\\.[3-9][0-9]$", var.kubernetes_version))
    error_message = "kubernetes_version: 1.30 or later, as 1.35."
  }
}

variable "subnet_ids" {
  description = "Private subnets of the control plane and the nodes, in two zones at least, with a way out for images."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids: at least two."
  }
}

variable "public_access_cidrs" {
  description = "Networks that reach the Kubernetes API from outside the VPC; none: it is private, and Terraform must run where it is reached."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.public_access_cidrs : can(cidrnetmask(cidr)) && cidr != "0.0.0.0/0"])
    error_message = "public_access_cidrs: IPv4 networks, and not 0.0.0.0/0."
  }
}

variable "control_plane_tier" {
  description = "Tier of a Provisioned Control Plane, tier-xl to tier-8xl, which EKS charges for by the hour; null: the standard one."
  type        = string
  default     = null

  validation {
    condition     = var.control_plane_tier == null || try(contains(["tier-xl", "tier-2xl", "tier-4xl", "tier-8xl"], var.control_plane_tier), false)
    error_message = "control_plane_tier: tier-xl, tier-2xl, tier-4xl or tier-8xl."
  }
}

variable "hpa_sync_period_seconds" {
  description = "How often Kubernetes' HorizontalPodAutoscaler looks, which is how fast KEDA's scaling goes on from one replica (from none to one KEDA decides by itself). EKS allows 10 to 15 s, and only with control_plane_tier; null: 15 s."
  type        = number
  default     = null

  validation {
    condition     = var.hpa_sync_period_seconds == null || try(var.hpa_sync_period_seconds >= 10 && var.hpa_sync_period_seconds <= 15 && floor(var.hpa_sync_period_seconds) == var.hpa_sync_period_seconds, false)
    error_message = "hpa_sync_period_seconds: a whole number from 10 to 15."
  }

  validation {
    condition     = var.hpa_sync_period_seconds == null || var.control_plane_tier != null
    error_message = "hpa_sync_period_seconds: EKS takes it for a Provisioned Control Plane alone; set control_plane_tier too."
  }
}

variable "node_group" {
  description = "The nodes: types of one size and architecture, how many, and the disk of each. Names of architectures: x86_64, arm64."
  type = object({
    instance_types = optional(list(string), ["m7i.large"])
    architecture   = optional(string, "x86_64")
    min_size       = optional(number, 2)
    max_size       = optional(number, 6)
    disk_gb        = optional(number, 40)
  })
  default = {}

  validation {
    condition = (
      length(var.node_group.instance_types) > 0 && contains(["x86_64", "arm64"], var.node_group.architecture)
      && var.node_group.min_size >= 1 && var.node_group.max_size >= var.node_group.min_size && var.node_group.disk_gb >= 20
    )
    error_message = "node_group: at least one instance type, x86_64 or arm64, 1 <= min_size <= max_size, and 20 GB of disk."
  }
}

variable "admin_role_arns" {
  description = "IAM roles that administer the cluster beside who makes it, by a name of yours for each."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name, arn in var.admin_role_arns : can(regex("^arn:[^:]+:iam::[0-9]{12}:role/", arn))])
    error_message = "admin_role_arns: ARNs of IAM roles."
  }
}

variable "kms_key_arn" {
  description = "KMS key that encrypts Kubernetes' Secrets once more; null: EKS' own key alone."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[^:]+:kms:", var.kms_key_arn))
    error_message = "kms_key_arn: the ARN of a KMS key."
  }
}

variable "log_retention_days" {
  description = "How long the control plane's logs are kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days: a number of days that CloudWatch Logs knows, as 30, 90 or 365."
  }
}

variable "tags" {
  description = "Tags of everything that takes tags."
  type        = map(string)
  default     = {}
}
