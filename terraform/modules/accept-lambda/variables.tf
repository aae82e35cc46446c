variable "name" {
  description = "Name of the function, and before the names of what belongs to it."
  type        = string
  default     = "alioth-accept"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,38}[a-z0-9]$", var.name))
    error_message = "name: 2 to 40 lower-case letters, digits and hyphens, a letter first and no hyphen last."
  }
}

variable "zip_path" {
  description = "The zip that `make lambda` makes: ingest-accept's Lambda build, as `bootstrap`."
  type        = string

  validation {
    condition     = endswith(var.zip_path, ".zip") && fileexists(var.zip_path)
    error_message = "zip_path: a zip that is there (make lambda makes it)."
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

variable "memory_mb" {
  description = "Memory of the function, and with it its share of CPU: Lambda gives a whole core at 1,769 MB."
  type        = number
  default     = 512

  validation {
    condition     = var.memory_mb >= 128 && var.memory_mb <= 10240 && floor(var.memory_mb) == var.memory_mb
    error_message = "memory_mb: a whole number from 128 to 10240."
  }
}

variable "timeout_seconds" {
  description = "When Lambda ends an invocation. It must be longer than accept takes to answer by itself (ALIOTH_HTTP_ANSWER_TIMEOUT, 4 s) and a first connection (ALIOTH_AMQP_CONNECT_TIMEOUT, 5 s)."
  type        = number
  default     = 15

  validation {
    condition     = var.timeout_seconds >= 10 && var.timeout_seconds <= 29
    error_message = "timeout_seconds: from 10 to 29; an HTTP API waits 30 s."
  }
}

variable "reserved_concurrency" {
  description = "Environments at once, at most; each holds one connection to the broker. -1: no bound but the account's."
  type        = number
  default     = 100

  validation {
    condition     = var.reserved_concurrency == -1 || (var.reserved_concurrency >= 1 && var.reserved_concurrency >= var.provisioned_concurrency)
    error_message = "reserved_concurrency: -1, or at least 1 and provisioned_concurrency."
  }
}

variable "provisioned_concurrency" {
  description = "Environments that are kept started, so that no request waits for a cold start; 0: none."
  type        = number
  default     = 0

  validation {
    condition     = var.provisioned_concurrency >= 0 && floor(var.provisioned_concurrency) == var.provisioned_concurrency
    error_message = "provisioned_concurrency: a whole number, at least 0."
  }
}

variable "vpc_id" {
  description = "The VPC that the broker is in."
  type        = string

  validation {
    condition     = startswith(var.vpc_id, "vpc-")
    error_message = "vpc_id: as vpc-…"
  }
}

variable "subnet_ids" {
  description = "Private subnets of the function; from them it must reach the broker, Qdrant and Secrets Manager or SSM."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) > 0
    error_message = "subnet_ids: at least one."
  }
}

variable "egress" {
  description = "Where else than to HTTPS and AMQP over TLS (443, 5671) the function may connect, by a name of yours: a port and the network or the security group behind it. Qdrant, for one: { qdrant = { port = 6334, cidr_ipv4 = \"10.64.0.0/16\" } }."
  type = map(object({
    port              = number
    cidr_ipv4         = optional(string)
    security_group_id = optional(string)
  }))
  default = {}

  validation {
    condition     = alltrue([for rule in values(var.egress) : (rule.cidr_ipv4 == null) != (rule.security_group_id == null) && rule.port >= 1 && rule.port <= 65535])
    error_message = "egress: each with a port and either cidr_ipv4 or security_group_id."
  }
}

variable "amqp_url_arn" {
  description = "ARN of the secret or SSM parameter whose text, or a member of whose JSON, is ALIOTH_AMQP_URL; the module broker has it as amqp_url_secret_arn."
  type        = string

  validation {
    condition     = can(regex("^arn:[^:]+:(secretsmanager:[^:]+:[0-9]{12}:secret:[^:]+(:[^:]+(::)?)?$|ssm:[^:]+:[0-9]{12}:parameter/)", var.amqp_url_arn))
    error_message = "amqp_url_arn: the ARN of a Secrets Manager secret, with :key:: after it or without, or of an SSM parameter."
  }
}

variable "api_keys_arn" {
  description = "ARN of the secret or SSM parameter whose text, or a member of whose JSON, is ALIOTH_API_KEYS, keys separated by commas; null: none, allowed only where AWS itself asks who calls (authorization = \"AWS_IAM\")."
  type        = string
  default     = null

  validation {
    condition     = var.api_keys_arn == null || can(regex("^arn:[^:]+:(secretsmanager:[^:]+:[0-9]{12}:secret:[^:]+(:[^:]+(::)?)?$|ssm:[^:]+:[0-9]{12}:parameter/)", var.api_keys_arn))
    error_message = "api_keys_arn: the ARN of a Secrets Manager secret, with :key:: after it or without, or of an SSM parameter."
  }

  validation {
    condition     = var.api_keys_arn != null || var.authorization == "AWS_IAM"
    error_message = "api_keys_arn: without keys, and with authorization NONE, whoever finds the URL could write."
  }
}

variable "qdrant_url" {
  description = "ALIOTH_QDRANT_URL: gRPC addresses by which accept checks writes against their collections; null: it has no Qdrant, and checks their shape alone."
  type        = string
  default     = null

  validation {
    condition     = var.qdrant_url == null || can(regex("^https?://", var.qdrant_url))
    error_message = "qdrant_url: as http://host:6334 or https://…, several separated by commas."
  }
}

variable "qdrant_api_key_arn" {
  description = "ARN of the secret or SSM parameter whose text, or a member of whose JSON, is ALIOTH_QDRANT_API_KEY; null: none is sent."
  type        = string
  default     = null

  validation {
    condition     = var.qdrant_api_key_arn == null || can(regex("^arn:[^:]+:(secretsmanager:[^:]+:[0-9]{12}:secret:[^:]+(:[^:]+(::)?)?$|ssm:[^:]+:[0-9]{12}:parameter/)", var.qdrant_api_key_arn))
    error_message = "qdrant_api_key_arn: the ARN of a Secrets Manager secret, with :key:: after it or without, or of an SSM parameter."
  }
}

variable "secrets_kms_key_arns" {
  description = "KMS keys that encrypt those secrets and parameters, where they are not the account's own."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.secrets_kms_key_arns : can(regex("^arn:[^:]+:kms:", arn))])
    error_message = "secrets_kms_key_arns: ARNs of KMS keys."
  }
}

variable "environment" {
  description = "Further variables of accept (functions/ingest-accept/README.md), such as ALIOTH_AMQP_QUEUE_PREFIX. A name that accept does not know ends its start. No secrets: they would be in the state."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.environment) : can(regex("^(ALIOTH|OTEL)_[A-Z0-9_]+$", name))])
    error_message = "environment: ALIOTH_… and OTEL_… alone."
  }

  validation {
    condition = length(setintersection(keys(var.environment), [
      "ALIOTH_AMQP_URL", "ALIOTH_API_KEYS", "ALIOTH_QDRANT_API_KEY", "OTEL_EXPORTER_OTLP_HEADERS",
      "ALIOTH_AMQP_URL_ARN", "ALIOTH_API_KEYS_ARN", "ALIOTH_QDRANT_API_KEY_ARN", "ALIOTH_QDRANT_URL",
    ])) == 0
    error_message = "environment: a secret goes by its ARN, and what the module has a variable for by that."
  }

  validation {
    condition     = length([for name in keys(var.environment) : name if can(regex("^ALIOTH_(HTTP_LISTEN|ADMIN_LISTEN|HTTP_CONNECTIONS|DRAIN_TIMEOUT)$", name))]) == 0
    error_message = "environment: a function in Lambda has no port and no drain of its own."
  }
}

variable "front" {
  description = "What takes requests: http-api (throttled, with an access log) or function-url."
  type        = string
  default     = "http-api"

  validation {
    condition     = contains(["http-api", "function-url"], var.front)
    error_message = "front: http-api or function-url."
  }
}

variable "authorization" {
  description = "Who may call before accept sees the request: NONE (accept's own keys alone) or AWS_IAM (signed requests)."
  type        = string
  default     = "NONE"

  validation {
    condition     = contains(["NONE", "AWS_IAM"], var.authorization)
    error_message = "authorization: NONE or AWS_IAM."
  }
}

variable "throttle" {
  description = "Requests a second of the HTTP API, steady and in a burst; beyond them it answers 429. A function URL is bounded by reserved_concurrency alone."
  type = object({
    rate  = optional(number, 500)
    burst = optional(number, 1000)
  })
  default = {}

  validation {
    condition     = var.throttle.rate >= 1 && var.throttle.burst >= 1
    error_message = "throttle: a rate and a burst of at least 1."
  }
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days: a number of days that CloudWatch Logs knows, as 30, 90 or 365."
  }
}

variable "logs_kms_key_arn" {
  description = "KMS key for the logs; null: CloudWatch's own encryption."
  type        = string
  default     = null

  validation {
    condition     = var.logs_kms_key_arn == null || can(regex("^arn:[^:]+:kms:", var.logs_kms_key_arn))
    error_message = "logs_kms_key_arn: the ARN of a KMS key."
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
