# With mocked providers: what is planned from which variables, not what AWS makes of it.
mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  name = "alioth-snapshots-test"
}

run "is_closed_encrypted_and_versioned" {
  command = plan

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.this.block_public_acls, aws_s3_bucket_public_access_block.this.block_public_policy,
      aws_s3_bucket_public_access_block.this.ignore_public_acls, aws_s3_bucket_public_access_block.this.restrict_public_buckets,
    ])
    error_message = "public access is not blocked in all four ways"
  }

  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "versions are not kept"
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "AES256"
    error_message = "not encrypted"
  }

  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.this.rule[0].abort_incomplete_multipart_upload[0].days_after_initiation == 2
    error_message = "incomplete uploads stay"
  }

  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.this.rule[1].noncurrent_version_expiration[0].noncurrent_days == 30
    error_message = "old versions stay"
  }

  assert {
    condition     = !aws_s3_bucket.this.force_destroy
    error_message = "a destroy would take the snapshots along"
  }
}

run "takes_a_key_of_ones_own" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms"
    error_message = "the key is not used"
  }
}

run "refuses_what_cannot_be" {
  command = plan

  variables {
    name                          = "Alioth"
    kms_key_arn                   = "alias/snapshots"
    abort_incomplete_uploads_days = 0
    old_versions_days             = 1.5
    access_log_bucket             = "arn:aws:s3:::logs"
  }

  expect_failures = [var.name, var.kms_key_arn, var.abort_incomplete_uploads_days, var.old_versions_days, var.access_log_bucket]
}
