variable "name" {
  description = "Before the names of the broker and of what belongs to it."
  type        = string
  default     = "alioth"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}[a-z0-9]$", var.name))
    error_message = "name: 2 to 32 lower-case letters, digits and hyphens, a letter first and no hyphen last."
  }
}

variable "vpc_id" {
  description = "The VPC of the broker."
  type        = string

  validation {
    condition     = startswith(var.vpc_id, "vpc-")
    error_message = "vpc_id: as vpc-…"
  }
}

variable "subnet_ids" {
  description = "Private subnets: the first one for a single broker, one a zone for a cluster."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= (var.cluster ? 3 : 1)
    error_message = "subnet_ids: at least one, and three for a cluster."
  }
}

variable "cluster" {
  description = "Three nodes in three zones, on which a quorum queue loses nothing with one of them; false: one node, whose loss stops writes until it is back."
  type        = bool
  default     = true
}

variable "instance_type" {
  description = "Size of each node."
  type        = string
  default     = "mq.m7g.large"

  validation {
    condition     = can(regex("^mq\\.(t3|m5|m7g)\\.", var.instance_type)) && !(var.cluster && startswith(var.instance_type, "mq.t3."))
    error_message = "instance_type: mq.m7g.*, mq.m5.* or mq.t3.*; the last not for a cluster."
  }
}

variable "engine_version" {
  description = "Version of RabbitMQ, major and minor; Amazon MQ applies patches by itself in the maintenance window."
  type        = string
  default     = "4.2"

  # https://docs.aws.amazon.com/amazon-mq/latest/developer-guide/rabbitmq-4.html
  validation {
    condition     = contains(["3.13", "4.2", "4.3"], var.engine_version) && (startswith(var.engine_version, "3.") || startswith(var.instance_type, "mq.m7g."))
    error_message = "engine_version: 3.13, 4.2 or 4.3; from 4 on with mq.m7g.* alone."
  }
}

variable "clients" {
  description = "Security groups that may speak AMQP over TLS to the broker, by a name of yours for each."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name, group in var.clients : startswith(group, "sg-")])
    error_message = "clients: security groups, as sg-…"
  }
}

variable "management_clients" {
  description = "Security groups that may reach the management API as well, by a name of yours for each: KEDA's pods count messages there."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name, group in var.management_clients : startswith(group, "sg-")])
    error_message = "management_clients: security groups, as sg-…"
  }
}

variable "username" {
  description = "The one user that Amazon MQ makes. It is an administrator; further users are made in RabbitMQ."
  type        = string
  default     = "alioth"

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{2,100}$", var.username)) && var.username != "guest"
    error_message = "username: 2 to 100 letters, digits, hyphens and underscores, and not guest."
  }
}

variable "kms_key_arn" {
  description = "KMS key for the broker's disks and for the secrets; null: AWS's own keys."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[^:]+:kms:", var.kms_key_arn))
    error_message = "kms_key_arn: the ARN of a KMS key."
  }
}

variable "maintenance_window" {
  description = "When Amazon MQ may restart nodes for patches, in UTC. A cluster's are restarted in turn."
  type = object({
    day_of_week = optional(string, "SUNDAY")
    time_of_day = optional(string, "03:00")
  })
  default = {}

  validation {
    condition = (
      contains(["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"], var.maintenance_window.day_of_week)
      && can(regex("^([01][0-9]|2[0-3]):[0-5][0-9]$", var.maintenance_window.time_of_day))
    )
    error_message = "maintenance_window: a day in capitals, and hh:mm."
  }
}

variable "secret_recovery_days" {
  description = "For how many days a destroyed secret can be had back; 0: not at all, and its name is free at once."
  type        = number
  default     = 7

  validation {
    condition     = var.secret_recovery_days == 0 || (var.secret_recovery_days >= 7 && var.secret_recovery_days <= 30)
    error_message = "secret_recovery_days: 0, or 7 to 30."
  }
}

variable "backlog_alarm_messages" {
  description = "Alarm when so many messages wait in all queues for a quarter of an hour. Queues refuse writes at a million messages each."
  type        = number
  default     = 500000

  validation {
    condition     = var.backlog_alarm_messages > 0
    error_message = "backlog_alarm_messages: more than 0."
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

variable "tags" {
  description = "Tags of everything that takes tags."
  type        = map(string)
  default     = {}
}
