variable "name" {
  description = "Name of the VPC, and before the names of what is in it."
  type        = string
  default     = "alioth"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}[a-z0-9]$", var.name))
    error_message = "name: 2 to 32 lower-case letters, digits and hyphens, a letter first and no hyphen last."
  }
}

variable "cidr_block" {
  description = "IPv4 addresses of the VPC, /16 to /20: each zone gets one sixteenth for its private subnet and one for its public one."
  type        = string
  default     = "10.64.0.0/16"

  validation {
    condition     = can(cidrnetmask(var.cidr_block)) && contains(range(16, 21), try(tonumber(split("/", var.cidr_block)[1]), 0))
    error_message = "cidr_block: an IPv4 network from /16 to /20."
  }
}

variable "zones" {
  description = "How many availability zones: a RabbitMQ cluster wants three."
  type        = number
  default     = 3

  validation {
    condition     = contains([2, 3], var.zones)
    error_message = "zones: 2 or 3."
  }
}

variable "nat_gateways" {
  description = "Ways out of the private subnets: none, one for all zones, or one per-zone. Nodes pull images through them; accept as a Lambda function needs none when interface_endpoints has what it reads."
  type        = string
  default     = "none"

  validation {
    condition     = contains(["none", "one", "per-zone"], var.nat_gateways)
    error_message = "nat_gateways: none, one or per-zone."
  }
}

variable "interface_endpoints" {
  description = "AWS services that are reached from the private subnets without a way out, by their names in endpoints (secretsmanager, ssm, kms, sts, …). S3 has its gateway endpoint always."
  type        = set(string)
  default     = ["secretsmanager"]

  validation {
    condition     = alltrue([for service in var.interface_endpoints : can(regex("^[a-z0-9.-]+$", service))])
    error_message = "interface_endpoints: service names as in com.amazonaws.<region>.<name>, the last part alone."
  }
}

variable "flow_log_retention_days" {
  description = "How long the flow log of the VPC is kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.flow_log_retention_days)
    error_message = "flow_log_retention_days: a number of days that CloudWatch Logs knows, as 30, 90 or 365."
  }
}

variable "logs_kms_key_arn" {
  description = "KMS key for the flow log; null: CloudWatch's own encryption."
  type        = string
  default     = null

  validation {
    condition     = var.logs_kms_key_arn == null || can(regex("^arn:[^:]+:kms:", var.logs_kms_key_arn))
    error_message = "logs_kms_key_arn: the ARN of a KMS key."
  }
}

variable "tags" {
  description = "Tags of everything that takes tags."
  type        = map(string)
  default     = {}
}
