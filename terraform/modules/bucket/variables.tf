variable "name" {
  description = "Name of the bucket, or what it begins with when name_is_prefix."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9-]$", var.name)) && (!var.name_is_prefix || length(var.name) <= 37)
    error_message = "name: 3 to 63 lower-case letters, digits, hyphens and dots; at most 37 as a prefix."
  }
}

variable "name_is_prefix" {
  description = "Whether AWS adds to the name what makes it unique."
  type        = bool
  default     = false
}

variable "kms_key_arn" {
  description = "KMS key that encrypts objects; null: S3's own keys (AES256)."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[^:]+:kms:", var.kms_key_arn))
    error_message = "kms_key_arn: the ARN of a KMS key."
  }
}

variable "abort_incomplete_uploads_days" {
  description = "After how many days parts of an upload that never ended go: a job that was killed leaves them, hidden and paid for."
  type        = number
  default     = 2

  validation {
    condition     = var.abort_incomplete_uploads_days >= 1 && floor(var.abort_incomplete_uploads_days) == var.abort_incomplete_uploads_days
    error_message = "abort_incomplete_uploads_days: a whole number, at least 1."
  }
}

variable "old_versions_days" {
  description = "After how many days what was removed or overwritten goes for good. Until then a snapshot that retention removed can be had back."
  type        = number
  default     = 30

  validation {
    condition     = var.old_versions_days >= 1 && floor(var.old_versions_days) == var.old_versions_days
    error_message = "old_versions_days: a whole number, at least 1."
  }
}

variable "access_log_bucket" {
  description = "Bucket that takes S3's access log of this one, below the name of this one; null: none is written."
  type        = string
  default     = null

  validation {
    condition     = var.access_log_bucket == null || try(!startswith(var.access_log_bucket, "arn:"), false)
    error_message = "access_log_bucket: the name of another bucket, not its ARN."
  }
}

variable "force_destroy" {
  description = "Whether a destroy removes a bucket that still holds snapshots."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags of everything that takes tags."
  type        = map(string)
  default     = {}
}
