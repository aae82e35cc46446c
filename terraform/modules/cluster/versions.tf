terraform {
  # Write-only arguments and ephemeral values, in Terraform and in OpenTofu.
  required_version = ">= 1.11.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.69.1, < 7.0.0"
    }
  }
}
