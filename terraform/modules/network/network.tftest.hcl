# With mocked providers: what is planned from which variables, not what AWS makes of it.
mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-central-1a", "eu-central-1b", "eu-central-1c"] }
  }
  mock_data "aws_region" {
    defaults = { region = "eu-central-1" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

run "no_way_out_unless_asked_for" {
  command = plan

  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_internet_gateway.this) == 0 && length(aws_subnet.public) == 0
    error_message = "a VPC without NAT gateways has a way out"
  }

  assert {
    condition     = length(aws_subnet.private) == 3 && aws_subnet.private["eu-central-1c"].cidr_block == "10.64.32.0/20"
    error_message = "three zones have not one private /20 each"
  }

  assert {
    condition     = keys(aws_vpc_endpoint.interface) == ["secretsmanager"]
    error_message = "secrets cannot be read from the private subnets"
  }
}

run "one_gateway_serves_all_zones" {
  command = plan

  variables {
    nat_gateways = "one"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_route.nat) == 3
    error_message = "not every zone has a route to the one gateway"
  }
}

run "each_zone_has_its_own_gateway" {
  command = plan

  variables {
    nat_gateways = "per-zone"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 3
    error_message = "not every zone has a gateway"
  }
}

run "refuses_what_cannot_be" {
  command = plan

  variables {
    name                    = "Bad_Name"
    cidr_block              = "10.0.0.0/28"
    zones                   = 1
    nat_gateways            = "two"
    interface_endpoints     = ["com/amazonaws"]
    flow_log_retention_days = 2
    logs_kms_key_arn        = "alias/logs"
  }

  expect_failures = [
    var.name, var.cidr_block, var.zones, var.nat_gateways, var.interface_endpoints, var.flow_log_retention_days, var.logs_kms_key_arn,
  ]
}
