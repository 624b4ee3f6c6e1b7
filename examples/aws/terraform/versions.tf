terraform {
  required_version = ">= 1.3" # optional() with a default

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0"
    }
  }
}
