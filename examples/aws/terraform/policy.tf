# What provisionerd may do, and no more. Each action is one that it calls.

locals {
  logs = "arn:${data.aws_partition.current.partition}:logs:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}"
  ecs  = "arn:${data.aws_partition.current.partition}:ecs:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}"

  # Without the counts: "web = 2" is the service web.
  sleepers = flatten([
    for e in values(var.environments) : [for service in e.services : "${local.ecs}:service/${e.cluster}/${trimspace(split("=", service)[0])}"]
  ])
  writers = flatten([
    for e in values(var.environments) : [for service in e.always_on : "${local.ecs}:service/${e.cluster}/${service}"]
  ])
  log_groups = flatten([
    for e in values(var.environments) : [for group in e.log_groups : "${local.logs}:log-group:${group}:*"]
  ])

  policy = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "SeeActivity"
        Effect   = "Allow"
        Action   = ["logs:FilterLogEvents", "logs:StartQuery"]
        Resource = distinct(local.log_groups)
      },
      # A request for a query's results, or for its end, names the query and no log group: StopQuery
      # supports no resource-level permission, and GetQueryResults got its log group in the service
      # authorization reference late. Whose log groups are queried is settled by StartQuery.
      {
        Sid      = "ReadQueries"
        Effect   = "Allow"
        Action   = ["logs:GetQueryResults", "logs:StopQuery"]
        Resource = "*"
      },
      {
        Sid      = "SeeServices"
        Effect   = "Allow"
        Action   = "ecs:DescribeServices"
        Resource = distinct(concat(local.sleepers, local.writers))
      },
      {
        Sid      = "SleepAndWake"
        Effect   = "Allow"
        Action   = "ecs:UpdateService"
        Resource = distinct(local.sleepers)
      },
    ]
  }

  # What the instance may do beside, by what was asked for.
  further_policies = merge(
    startswith(var.package_url, "s3://") ? {
      package = {
        Sid      = "FetchPackage"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "arn:${data.aws_partition.current.partition}:s3:::${trimprefix(var.package_url, "s3://")}"
      }
    } : {},
    # The least that a session takes. AmazonSSMManagedInstanceCore would also let the instance read
    # the account's parameters. None of these knows resources of ours.
    var.session_manager ? {
      session-manager = {
        Sid    = "OpenSessions"
        Effect = "Allow"
        Action = [
          "ssm:UpdateInstanceInformation",
          "ssmmessages:CreateControlChannel",
          "ssmmessages:CreateDataChannel",
          "ssmmessages:OpenControlChannel",
          "ssmmessages:OpenDataChannel",
        ]
        Resource = "*"
      }
    } : {},
    var.alarm_topic_arn != "" ? {
      alarm = {
        Sid      = "TellTopic"
        Effect   = "Allow"
        Action   = "sns:Publish"
        Resource = var.alarm_topic_arn
      }
    } : {},
  )
}
