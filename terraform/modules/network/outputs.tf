output "vpc_id" {
  description = "The VPC, for the modules broker, accept-lambda and cluster."
  value       = aws_vpc.this.id
}

output "cidr_block" {
  description = "Its IPv4 addresses."
  value       = aws_vpc.this.cidr_block
}

output "private_subnet_ids" {
  description = "Its private subnets, one a zone."
  value       = [for zone in local.zones : aws_subnet.private[zone].id]

  # Whoever starts in these subnets may need the way out at once.
  depends_on = [aws_route.nat, aws_route_table_association.private]
}
