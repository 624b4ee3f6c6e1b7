# SPDX-License-Identifier: MIT
#
# provisionerd on an instance of its own: puts the ECS services of idle environments to sleep, and
# wakes them on activity.

data "aws_partition" "current" {}

data "aws_region" "current" {}

data "aws_caller_identity" "current" {}

data "aws_subnet" "this" {
  id = var.subnet_id
}

data "aws_ssm_parameter" "image" {
  name = var.image
}

locals {
  tags = merge(var.tags, { Name = var.name })

  sections = [
    for name, e in var.environments : join("\n", compact([
      "[environment ${name}]",
      "cluster = ${e.cluster}",
      "services = ${join(", ", e.services)}",
      "log_group = ${join(", ", e.log_groups)}",
      e.pattern != "" ? "pattern = ${e.pattern}" : "",
      length(e.exclude) > 0 ? "exclude = ${join(", ", e.exclude)}" : "",
      length(e.always_on) > 0 ? "always_on = ${join(", ", e.always_on)}" : "",
      join("\n", [for option, value in e.options : "${option} = ${value}"]),
    ]))
  ]

  configuration = join("\n\n", concat([
    "# Written at each boot from the variables of a Terraform module. What you add by\n# hand belongs in /etc/provisionerd.ini.d/*.ini.\n[provisionerd]\nregion = ${data.aws_region.current.region}"
  ], local.sections))

  # The same text as in ../cloudformation.yaml.
  user_data = templatefile("${path.module}/user-data.tftpl", {
    PackageUrlBase64    = base64encode(var.package_url)
    PackageSha256       = var.package_sha256
    ConfigurationBase64 = base64encode(local.configuration)
    AlarmTopicArn       = var.alarm_topic_arn
    SignalUrlBase64     = "" # nobody waits
  })
}

resource "aws_iam_role" "this" {
  name        = var.name
  description = "What provisionerd may do, and no more"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ec2.${data.aws_partition.current.dns_suffix}" }
      Action    = "sts:AssumeRole"
    }]
  })
  tags = local.tags
}

resource "aws_iam_role_policy" "this" {
  name   = "environments"
  role   = aws_iam_role.this.id
  policy = jsonencode(local.policy)
}

resource "aws_iam_role_policy" "further" {
  for_each = local.further_policies

  name   = each.key
  role   = aws_iam_role.this.id
  policy = jsonencode({ Version = "2012-10-17", Statement = [each.value] })
}

resource "aws_iam_instance_profile" "this" {
  name = var.name
  role = aws_iam_role.this.name
  tags = local.tags
}

# Nothing gets in. The VPC's resolver, time and metadata services are not subject to
# security groups.
resource "aws_security_group" "this" {
  name        = var.name
  description = "provisionerd - HTTPS out, nothing in"
  vpc_id      = data.aws_subnet.this.vpc_id
  ingress     = []
  tags        = local.tags

  egress {
    description = "AWS APIs and the package"
    protocol    = "tcp"
    from_port   = 443
    to_port     = 443
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_instance" "this" {
  ami                         = data.aws_ssm_parameter.image.insecure_value
  instance_type               = var.instance_type
  subnet_id                   = var.subnet_id
  associate_public_ip_address = var.public_ip
  vpc_security_group_ids      = [aws_security_group.this.id]
  iam_instance_profile        = aws_iam_instance_profile.this.name
  tags                        = local.tags
  volume_tags                 = local.tags

  # A change stops the instance and starts it again, and its script runs at each boot.
  user_data                   = local.user_data
  user_data_replace_on_change = false

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required" # IMDSv2
    http_put_response_hop_limit = 1
  }

  maintenance_options {
    auto_recovery = "default" # onto other hardware if this fails, with the same volume
  }

  root_block_device {
    volume_type           = "gp3"
    volume_size           = 8
    encrypted             = true
    delete_on_termination = !var.keep_volume
  }

  lifecycle {
    # A newer image is no reason to replace the instance, and the counts on its volume.
    ignore_changes = [ami]

    precondition {
      condition     = length(local.user_data) <= 16384
      error_message = "User data is limited to 16 KB: fewer environments, or options in /etc/provisionerd.ini.d/."
    }
  }

  # In force before the daemon asks.
  depends_on = [aws_iam_role_policy.this, aws_iam_role_policy.further]
}

resource "aws_cloudwatch_metric_alarm" "host" {
  count = var.alarm_topic_arn != "" ? 1 : 0

  alarm_name          = "${var.name}-host"
  alarm_description   = "The instance of provisionerd fails its checks, or is gone: nobody wakes what sleeps."
  namespace           = "AWS/EC2"
  metric_name         = "StatusCheckFailed"
  dimensions          = { InstanceId = aws_instance.this.id }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 10
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]
  tags                = local.tags
}
