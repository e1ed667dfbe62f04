# The api in staging. Its version is pinned in terraform.tfvars, by pull requests
# that "/ops deploy api v1.4.1 to staging" opens.

terraform {
  backend "local" {}
}

variable "api_version" {
  type = string
}

variable "replicas" {
  type = number
}

resource "terraform_data" "api" {
  count = var.replicas

  input = {
    name    = "api-${count.index + 1}"
    version = var.api_version
  }
}

output "api_version" {
  value = var.api_version
}
