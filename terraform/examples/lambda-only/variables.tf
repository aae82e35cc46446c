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

variable "vpc" {
  description = "A VPC of one's own, with private subnets that reach Secrets Manager; null: one is made."
  type = object({
    vpc_id             = string
    private_subnet_ids = list(string)
  })
  default = null

  validation {
    condition     = var.vpc == null || try(startswith(var.vpc.vpc_id, "vpc-") && length(var.vpc.private_subnet_ids) > 0, false)
    error_message = "vpc: vpc_id as vpc-…, and at least one subnet."
  }
}

variable "amqp_url_arn" {
  description = "Secret or parameter with the URL of a RabbitMQ of one's own; null: Amazon MQ makes one."
  type        = string
  default     = null

  validation {
    condition     = var.amqp_url_arn == null || can(regex("^arn:", var.amqp_url_arn))
    error_message = "amqp_url_arn: an ARN."
  }
}

variable "consumer_security_group_ids" {
  description = "Security groups of the consumers elsewhere, by a name of yours for each: they may connect to the broker."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name, group in var.consumer_security_group_ids : startswith(group, "sg-") && name != "accept"])
    error_message = "consumer_security_group_ids: security groups, as sg-…, none of them called accept."
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

variable "alarm_actions" {
  description = "ARNs that the alarms tell, as of an SNS topic."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.alarm_actions : startswith(arn, "arn:")])
    error_message = "alarm_actions: ARNs."
  }
}
