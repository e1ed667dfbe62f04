# The hosts that there are.

terraform {
  backend "local" {}
}

resource "terraform_data" "host" {
  for_each = toset(["db-1", "cache-1"])

  input = { name = each.key, subnet = "private-a" }
}
