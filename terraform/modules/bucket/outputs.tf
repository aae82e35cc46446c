output "name" {
  description = "The bucket: ALIOTH_S3_BUCKET, and the chart's s3.bucket."
  # The chart may write as soon as it has the name: not before the policy is there.
  value      = aws_s3_bucket.this.id
  depends_on = [aws_s3_bucket_policy.this, aws_s3_bucket_public_access_block.this, aws_s3_bucket_versioning.this]
}

output "arn" {
  description = "Its ARN, for the policies of who reads and writes it."
  value       = aws_s3_bucket.this.arn
}

output "region" {
  description = "Its region: ALIOTH_S3_REGION, and the chart's s3.region."
  value       = aws_s3_bucket.this.bucket_region
}

output "kms_key_arn" {
  description = "The KMS key of its objects, or null: who reads and writes it needs the key as well."
  value       = var.kms_key_arn
}
