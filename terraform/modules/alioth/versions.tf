terraform {
  # Write-only arguments and ephemeral values, in Terraform and in OpenTofu.
  required_version = ">= 1.11.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.69.1, < 7.0.0"
    }
    # Configured by who calls this module, for the cluster it is to go into.
    helm = {
      source  = "hashicorp/helm"
      version = ">= 3.3.0, < 4.0.0"
    }
  }
}
