# The network of production.

terraform {
  backend "local" {}
}

locals {
  subnets = {
    public-a  = "10.0.0.0/24"
    public-b  = "10.0.1.0/24"
    private-a = "10.0.16.0/20"
  }
}

resource "terraform_data" "subnet" {
  for_each = local.subnets

  input = {
    name = each.key
    cidr = each.value
  }

  provisioner "local-exec" {
    command = "echo subnet ${each.key} is ${each.value}"
  }
}

output "subnets" {
  value = keys(local.subnets)
}
