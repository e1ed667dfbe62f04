# What runs in staging. It is made of terraform_data alone, so that it needs no
# provider, no network and no account.

terraform {
  backend "local" {}
}

locals {
  version  = trimspace(file("${path.module}/../../VERSION"))
  replicas = toset(["web-1"])
}

resource "terraform_data" "release" {
  input = {
    service     = "web"
    environment = "staging"
    version     = local.version
  }
}

resource "terraform_data" "replica" {
  for_each = local.replicas

  input = {
    name    = each.key
    version = local.version
  }
}

output "version" {
  value = local.version
}
