# With mocked providers: what is planned from which variables, not what AWS makes of it.
mock_provider "aws" {
  mock_resource "aws_eks_cluster" {
    defaults = {
      certificate_authority = [{ data = "LS0t" }]
      identity              = [{ oidc = [{ issuer = "https://oidc.eks.eu-central-1.amazonaws.com/id/0" }] }]
    }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  subnet_ids = ["subnet-1", "subnet-2"]
}

run "is_private_and_leaves_a_standard_control_plane_as_it_is" {
  command = plan

  assert {
    condition     = !aws_eks_cluster.this.vpc_config[0].endpoint_public_access && aws_eks_cluster.this.vpc_config[0].endpoint_private_access
    error_message = "the Kubernetes API is public"
  }

  assert {
    condition     = length(aws_eks_cluster.this.kube_controller_manager_config) == 0 && length(aws_eks_cluster.this.control_plane_scaling_config) == 0
    error_message = "EKS refuses the period of the HorizontalPodAutoscaler on a standard control plane"
  }

  assert {
    condition     = aws_launch_template.node.metadata_options[0].http_tokens == "required" && aws_launch_template.node.metadata_options[0].http_put_response_hop_limit == 1
    error_message = "a pod can ask for the node's role"
  }
}

run "looks_every_ten_seconds_where_eks_takes_that" {
  command = plan

  variables {
    control_plane_tier      = "tier-xl"
    hpa_sync_period_seconds = 10
  }

  assert {
    condition     = aws_eks_cluster.this.kube_controller_manager_config[0].horizontal_pod_autoscaler_controller_config[0].horizontal_pod_autoscaler_sync_period == "10s"
    error_message = "the HorizontalPodAutoscaler does not look every ten seconds"
  }

  assert {
    condition     = aws_eks_cluster.this.control_plane_scaling_config[0].tier == "tier-xl"
    error_message = "the control plane is not of the tier that was asked for"
  }
}

run "refuses_a_period_on_a_standard_control_plane" {
  command = plan

  variables {
    hpa_sync_period_seconds = 10
  }

  expect_failures = [var.hpa_sync_period_seconds]
}

run "refuses_a_period_that_eks_does_not_take" {
  command = plan

  variables {
    control_plane_tier      = "tier-xl"
    hpa_sync_period_seconds = 5
  }

  expect_failures = [var.hpa_sync_period_seconds]
}

run "binds_a_claim_that_names_no_storage_class" {
  command = plan

  assert {
    condition     = jsondecode(aws_eks_addon.ebs_csi.configuration_values).defaultStorageClass.enabled
    error_message = "no StorageClass is the default"
  }

  assert {
    condition     = endswith(aws_iam_role_policy_attachment.ebs_csi.policy_arn, "/AmazonEBSCSIDriverPolicy")
    error_message = "the driver may not make volumes"
  }

  assert {
    condition = contains(
      flatten([for condition in data.aws_iam_policy_document.ebs_csi_trust.statement[0].condition : condition.values]),
      "system:serviceaccount:kube-system:ebs-csi-controller-sa",
    )
    error_message = "the driver cannot take its role"
  }
}

run "is_reached_from_named_networks" {
  command = plan

  variables {
    public_access_cidrs = ["192.0.2.0/24"]
    kms_key_arn         = "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000"
    admin_role_arns     = { operators = "arn:aws:iam::123456789012:role/operators" }
  }

  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_public_access && length(aws_eks_cluster.this.vpc_config[0].public_access_cidrs) == 1
    error_message = "not reached from the network that was named"
  }

  assert {
    condition     = aws_eks_cluster.this.encryption_config[0].provider[0].key_arn == var.kms_key_arn
    error_message = "Secrets are not encrypted with the key"
  }

  assert {
    condition     = aws_eks_access_policy_association.admin["operators"].principal_arn == var.admin_role_arns["operators"]
    error_message = "operators do not administer the cluster"
  }
}

run "refuses_what_cannot_be" {
  command = plan

  variables {
    name                = "Cluster_"
    kubernetes_version  = "1.29"
    subnet_ids          = ["subnet-1"]
    public_access_cidrs = ["0.0.0.0/0"]
    control_plane_tier  = "xl"
    node_group          = { min_size = 3, max_size = 2 }
    admin_role_arns     = { operators = "operators" }
    kms_key_arn         = "alias/secrets"
    log_retention_days  = 2
  }

  expect_failures = [
    var.name, var.kubernetes_version, var.subnet_ids, var.public_access_cidrs, var.control_plane_tier, var.node_group,
    var.admin_role_arns, var.kms_key_arn, var.log_retention_days,
  ]
}
