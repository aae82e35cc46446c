output "name" {
  description = "The cluster: `aws eks update-kubeconfig --name …`."
  value       = aws_eks_cluster.this.name

  # Whoever installs into it wants nodes, name resolution and volumes.
  depends_on = [aws_eks_addon.this, aws_eks_addon.ebs_csi]
}

output "endpoint" {
  description = "Address of the Kubernetes API, for the helm provider."
  value       = aws_eks_cluster.this.endpoint

  depends_on = [aws_eks_addon.this, aws_eks_addon.ebs_csi]
}

output "certificate_authority" {
  description = "Its certificate authority (PEM), for the helm provider."
  value       = base64decode(aws_eks_cluster.this.certificate_authority[0].data)
}

output "oidc_provider_arn" {
  description = "Identity provider of its service accounts, for the module alioth."
  value       = aws_iam_openid_connect_provider.this.arn
}

output "security_group_id" {
  description = "Security group of nodes and pods: the broker's module takes it in clients and management_clients."
  value       = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
}
