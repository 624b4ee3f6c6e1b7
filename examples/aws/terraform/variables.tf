variable "name" {
  description = "What the instance, its role and its security group are called."
  type        = string
  default     = "provisionerd"

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,32}$", var.name))
    error_message = "The name has 1 to 32 of the characters A-Z a-z 0-9 _ -."
  }
}

variable "subnet_id" {
  description = "Where the instance runs. It needs a way to AWS's APIs: NAT, VPC endpoints (README.md lists them), or a public address."
  type        = string

  validation {
    condition     = can(regex("^subnet-[0-9a-f]+$", var.subnet_id))
    error_message = "Must be the id of a subnet."
  }
}

variable "public_ip" {
  description = "A public address, for a subnet without NAT and endpoints. Nothing gets in by it."
  type        = bool
  default     = false
}

variable "image" {
  description = "The public SSM parameter that holds the AMI. Amazon Linux 2023 takes the .rpm, Debian 12 (/aws/service/debian/release/12/latest/arm64) the .deb, both for arm64. It is looked up when the instance is made; a later change replaces nothing."
  type        = string
  default     = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"

  validation {
    condition = contains([
      "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64",
      "/aws/service/debian/release/12/latest/arm64",
    ], var.image)
    error_message = "Must be Amazon Linux 2023 or Debian 12, for arm64."
  }
}

variable "package_url" {
  description = "The package: an https:// URL, or s3://bucket/key, which the instance is then allowed to read."
  type        = string

  validation {
    condition     = can(regex("^(https|s3)://[A-Za-z0-9][^\\x00-\\x20\\x7f]+$", var.package_url))
    error_message = "Must begin with https:// or s3://."
  }
}

variable "package_sha256" {
  description = "The package's SHA-256. Another package is not installed."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{64}$", var.package_sha256))
    error_message = "Must be 64 hexadecimal digits, as sha256sum prints them."
  }
}

variable "environments" {
  description = "What sleeps and wakes, by the names that the journal tells. Values are written as in provisionerd.ini(5): services may have counts (\"web = 2\"), pattern and exclude are \"text\" in double quotes or /regular expressions/, options has any further option, such as { window = \"2h\" }. Clusters and log groups go by name, in the provider's account and region."
  type = map(object({
    cluster    = string
    services   = list(string)
    log_groups = list(string)
    pattern    = optional(string, "")
    exclude    = optional(list(string), [])
    always_on  = optional(list(string), [])
    options    = optional(map(string), {})
  }))

  validation {
    condition     = length(var.environments) > 0 && alltrue([for name, e in var.environments : can(regex("^[A-Za-z0-9._-]{1,64}$", name))])
    error_message = "An environment's name has 1 to 64 of the characters A-Z a-z 0-9 . _ -, and there is one at least."
  }

  validation {
    condition     = alltrue([for e in values(var.environments) : can(regex("^[A-Za-z0-9_-]{1,255}$", e.cluster))])
    error_message = "A cluster goes by its name, not by its ARN."
  }

  validation {
    condition     = alltrue([for e in values(var.environments) : length(e.services) > 0 && alltrue([for service in concat(e.services, e.always_on) : can(regex("^[A-Za-z0-9_-]{1,255}( *= *[0-9]+)?$", service))])])
    error_message = "There is one service at least; each goes by its name, with or without \"= COUNT\"."
  }

  validation {
    condition     = alltrue([for e in values(var.environments) : length(e.log_groups) > 0 && alltrue([for group in e.log_groups : can(regex("^[A-Za-z0-9._/#-]{1,512}$", group))])])
    error_message = "There is one log group at least; each goes by its name, not by its ARN."
  }

  validation {
    condition     = alltrue([for e in values(var.environments) : can(regex("^(\"([^\"\\\\\\x00-\\x1f\\x7f]|\\\\[\"\\\\])+\"|/[^\\x00-\\x1f\\x7f]+/)?$", e.pattern))])
    error_message = "A pattern is \"text\" in double quotes, or /regular expression/."
  }

  validation {
    condition     = alltrue([for e in values(var.environments) : alltrue([for text in concat(e.exclude, values(e.options)) : can(regex("^[^\\x00-\\x1f\\x7f]+$", text))])])
    error_message = "What is excluded, and the values of options, are of one line each."
  }

  validation {
    condition     = alltrue([for e in values(var.environments) : alltrue([for option in keys(e.options) : can(regex("^[a-z_]+$", option))])])
    error_message = "An option is one of provisionerd.ini(5)."
  }
}

variable "session_manager" {
  description = "A shell by SSM Session Manager (Amazon Linux only: Debian's image has no agent). There is no SSH key and no open port; without it, nobody gets in."
  type        = bool
  default     = true
}

variable "alarm_topic_arn" {
  description = "Optional: an SNS topic that hears when the instance is gone or fails its checks, and when the daemon has failed."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+)?$", var.alarm_topic_arn))
    error_message = "Must be the ARN of an SNS topic, or empty."
  }
}

variable "keep_volume" {
  description = "Whether the volume, with the counts to give back, outlives the instance. One that is left over is yours to delete."
  type        = bool
  default     = true
}

variable "instance_type" {
  description = "The daemon needs a few megabytes; a t4g.nano is enough."
  type        = string
  default     = "t4g.nano"

  validation {
    condition     = can(regex("^t4g\\.", var.instance_type))
    error_message = "Must be a t4g: images and packages are for arm64."
  }
}

variable "tags" {
  description = "Further tags for all that can have some."
  type        = map(string)
  default     = {}
}
