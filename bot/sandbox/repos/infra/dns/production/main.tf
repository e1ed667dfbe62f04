# The zone acme.example.

terraform {
  backend "local" {}
}

locals {
  records = {
    "www" = "192.0.2.10"
    "api" = "192.0.2.11"
  }
}

resource "terraform_data" "record" {
  for_each = local.records

  input = {
    name  = "${each.key}.acme.example"
    type  = "A"
    value = each.value
    ttl   = 300
  }
}
